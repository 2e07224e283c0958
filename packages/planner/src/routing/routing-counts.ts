import type { RoutingTable } from './routing-table.ts'

export interface RoutingCounts {
  readonly waiting: number
  /** Dispatched and not ended, cancelled ones included. */
  readonly running: number
  readonly nodes: number
  /** Wanted model (or `auto`) -> requests that wait for it. */
  readonly waitingByModel: Readonly<Record<string, number>>
}

/** What metrics and `shoal ps` show of the table. O(lanes). */
export function routingCounts(table: RoutingTable): RoutingCounts {
  const waitingByModel: Record<string, number> = {}
  for (const lane of table.lanes.values()) {
    waitingByModel[lane.wanted] = (waitingByModel[lane.wanted] ?? 0) + lane.waiting.size
  }
  return { waiting: table.waitingCount, running: table.requests.size - table.waitingCount, nodes: table.nodes.size, waitingByModel }
}
