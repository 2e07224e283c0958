import type { ModelId, NodeId } from '@shoal/core'
import { type Holder, incarnationKey, ownRunning, type RoutingTable } from './routing-table.ts'

/** Takes new work: ready, on a node that is neither draining nor suspect. */
export const takesWork = (holder: Holder): boolean => holder.report.status === 'ready' && !holder.node.draining && !holder.node.suspect

/**
 * Slots in use as well as we can know: what we dispatched and has not ended, and what the node reported beyond that.
 * Reports lag behind; ours is the newer count, so it is never lowered by one.
 */
export const usedSlots = (table: RoutingTable, holder: Holder): number =>
  ownRunning(table, holder.node.nodeId, holder.modelId) + holder.foreignSlots

/** Speeds within about a quarter count as equal: a measured speed varies by that much from run to run. Unknown comes last. */
const speedClass = (tokensPerSecond: number | null): number =>
  tokensPerSecond === null || tokensPerSecond <= 0 ? Number.NEGATIVE_INFINITY : Math.round(Math.log2(tokensPerSecond) * 3)

interface Candidate {
  readonly holder: Holder
  readonly used: number
  readonly speed: number
  readonly nodeTotal: number
}

/** Least loaded first; then faster; then the node that does least in all; then the one that has rested longest. */
function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.used !== b.used) return a.used < b.used
  if (a.speed !== b.speed) return a.speed > b.speed
  if (a.nodeTotal !== b.nodeTotal) return a.nodeTotal < b.nodeTotal
  return a.holder.lastDispatch < b.holder.lastDispatch
}

/** The node that should run the next request for a model, or null when every eligible one is full. O(nodes with the model). */
export function chooseNode(table: RoutingTable, modelId: ModelId, excluded: readonly string[]): Holder | null {
  let best: Candidate | null = null
  for (const holder of table.holders.get(modelId)?.values() ?? []) {
    if (!takesWork(holder) || holder.refusing) continue
    const used = usedSlots(table, holder)
    if (used >= holder.report.slotsTotal) continue
    if (excluded.length > 0 && excluded.includes(incarnationKey(holder.node))) continue
    const speed = speedClass(holder.report.tokensPerSecond)
    const candidate = { holder, used, speed, nodeTotal: nodeTotal(table, holder.node.nodeId) }
    if (best === null || isBetter(candidate, best)) best = candidate
  }
  return best?.holder ?? null
}

function nodeTotal(table: RoutingTable, nodeId: NodeId): number {
  let total = 0
  for (const count of table.ownRunning.get(nodeId)?.values() ?? []) total += count
  return total
}
