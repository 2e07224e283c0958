import type { ModelId } from '@shoal/core'
import { takesWork } from './choose-node.ts'
import { incarnationKey, type RoutingTable } from './routing-table.ts'

interface Candidate {
  readonly modelId: ModelId
  readonly isDemo: boolean
  readonly readyNodes: number
  readonly rank: number
}

/**
 * What a client that asks for `auto` gets: among the models that some node serves now, a real one before the demo, one that two or more nodes
 * serve before one that a single node serves (there is something to balance and to move to), then the best ranked, then the one with most
 * nodes, then by name. It does not depend on load, so one conversation does not wander between models. Nodes that failed this request do not
 * count for it. Null = nothing is ready.
 */
export function chooseAutoModel(table: RoutingTable, excluded: readonly string[] = []): ModelId | null {
  if (excluded.length > 0) return computeAutoModel(table, excluded)
  if (table.autoModelId === undefined) table.autoModelId = computeAutoModel(table, excluded)
  return table.autoModelId
}

function computeAutoModel(table: RoutingTable, excluded: readonly string[]): ModelId | null {
  let best: Candidate | null = null
  for (const [modelId, holders] of table.holders) {
    const ready = [...holders.values()].filter((holder) => takesWork(holder) && !excluded.includes(incarnationKey(holder.node)))
    if (ready.length === 0) continue
    const isDemo = ready.every((holder) => holder.report.isDemo)
    const rank = table.options.rankOf(modelId) ?? Number.NEGATIVE_INFINITY
    const candidate = { modelId, isDemo, readyNodes: ready.length, rank }
    if (best === null || isBetter(candidate, best)) best = candidate
  }
  return best?.modelId ?? null
}

function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.isDemo !== b.isDemo) return b.isDemo
  const aShared = a.readyNodes > 1
  if (aShared !== b.readyNodes > 1) return aShared
  if (a.rank !== b.rank) return a.rank > b.rank
  if (a.readyNodes !== b.readyNodes) return a.readyNodes > b.readyNodes
  return a.modelId < b.modelId
}
