import type { ModelId, ModelSource, NodeId } from '@shoal/core'
import { type Candidate, localCandidate, mergeCandidates } from '../sizing/candidates.ts'
import { type CandidatePlan, chooseModel } from '../sizing/choose-model.ts'
import { freedBytesOf, type PlacementNode } from './placement-nodes.ts'

export interface FleetQuery {
  readonly nodes: readonly PlacementNode[]
  /** What every node could fetch, usually `catalogCandidates()`; empty where the hub cannot be reached. */
  readonly fetchable: readonly Candidate[]
  readonly contextTokensWanted?: number
  readonly slotsWanted?: number
  readonly tokensPerSecondMin?: number
}

export interface FleetGroup {
  readonly modelId: ModelId
  readonly name: string
  readonly source: ModelSource
  /** Nodes that serve it already. */
  readonly present: readonly NodeId[]
  /** Nodes that should load it. */
  readonly added: readonly NodeId[]
  /** For people. */
  readonly reason: string
}

export interface FleetPlan {
  /** Models to load, the most valuable first; groups that nobody joins are left out. */
  readonly groups: readonly FleetGroup[]
  /** Nodes that get nothing, and why. */
  readonly idle: readonly { readonly nodeId: NodeId; readonly hostname: string; readonly reason: string }[]
}

/** What a second node is worth in points of rank: something to move a stream to when a node goes. */
const sharedPoints = 4
/** What twice the nodes are worth: twice the streams. */
const doublingPoints = 3

const value = (rank: number, nodes: number): number => rank + (nodes > 1 ? sharedPoints : 0) + doublingPoints * Math.log2(nodes)

interface Option {
  readonly node: PlacementNode
  readonly plan: CandidatePlan
}

/**
 * What nodes should serve that nobody told what to serve. One good model on many nodes comes before many different ones: a model is worth its
 * rank, 4 points more when two nodes or more can serve it, and 3 more for every doubling of nodes. So two laptops that could run a
 * 9B and a machine that could run a 27B all get the 9B, while a machine among Raspberry Pis keeps its own. Greedy: the most
 * valuable model goes to all free nodes that can serve it well, then the same for those left.
 * Nodes that serve a real model keep it, and count for the value of joining them.
 */
export function planFleet(query: FleetQuery): FleetPlan {
  const idle: { nodeId: NodeId; hostname: string; reason: string }[] = []
  const present = new Map<ModelId, NodeId[]>()
  const free = new Map<NodeId, readonly Option[]>()
  for (const node of query.nodes) {
    const { nodeId, hostname } = node
    const serving = node.models.filter((model) => !model.isDemo)
    for (const model of serving) present.set(model.modelId, [...(present.get(model.modelId) ?? []), nodeId])
    if (serving.length > 0) continue
    if (node.draining || node.suspect) {
      idle.push({ nodeId, hostname, reason: node.draining ? 'is draining' : 'does not answer' })
      continue
    }
    const options = optionsOf(query, node)
    if (options.length > 0) free.set(nodeId, options)
    else idle.push({ nodeId, hostname, reason: 'no model fits' })
  }
  const groups: FleetGroup[] = []
  while (free.size > 0) {
    const best = mostValuable(free, present)
    if (best === null) break
    for (const { node } of best.options) free.delete(node.nodeId)
    groups.push(groupOf(best, present))
  }
  return { groups, idle }
}

/** What a node can serve well; where that is nothing, the least bad it can do. */
function optionsOf(query: FleetQuery, node: PlacementNode): readonly Option[] {
  const { contextTokensWanted, slotsWanted, tokensPerSecondMin } = query
  const choice = chooseModel({
    profile: node.profile,
    candidates: mergeCandidates(
      node.localModels.map((local) => localCandidate(local)),
      query.fetchable,
    ),
    freedBytes: freedBytesOf(node),
    ...(contextTokensWanted === undefined ? {} : { contextTokensWanted }),
    ...(slotsWanted === undefined ? {} : { slotsWanted }),
    ...(tokensPerSecondMin === undefined ? {} : { tokensPerSecondMin }),
  })
  const good = choice.plans.filter((plan) => plan.verdict === 'good' && !plan.candidate.isDemo)
  const plans = good.length > 0 ? good : choice.chosen === null ? [] : [choice.chosen]
  return plans.map((plan) => ({ node, plan }))
}

interface Best {
  readonly options: readonly [Option, ...Option[]]
  readonly value: number
}

function mostValuable(free: ReadonlyMap<NodeId, readonly Option[]>, present: ReadonlyMap<ModelId, readonly NodeId[]>): Best | null {
  const byModel = new Map<ModelId, [Option, ...Option[]]>()
  for (const option of [...free.values()].flat()) {
    const those = byModel.get(option.plan.candidate.modelId)
    if (those === undefined) byModel.set(option.plan.candidate.modelId, [option])
    else those.push(option)
  }
  let best: Best | null = null
  for (const [modelId, options] of byModel) {
    const rank = options[0].plan.candidate.rank ?? 0
    const candidate = { options, value: value(rank, options.length + (present.get(modelId)?.length ?? 0)) }
    if (best === null || isBetter(candidate, best)) best = candidate
  }
  return best
}

/** Equal value: the smaller file is served sooner. */
function isBetter(a: Best, b: Best): boolean {
  if (a.value !== b.value) return a.value > b.value
  const [first, second] = [a.options[0].plan.candidate, b.options[0].plan.candidate]
  const bytes = first.dimensions.weightBytes - second.dimensions.weightBytes
  return bytes === 0 ? first.modelId < second.modelId : bytes < 0
}

function groupOf(best: Best, present: ReadonlyMap<ModelId, readonly NodeId[]>): FleetGroup {
  const { candidate } = best.options[0].plan
  const there = present.get(candidate.modelId) ?? []
  const nodes = there.length + best.options.length
  const reason =
    nodes === 1
      ? `the best model for ${best.options[0].node.hostname}; no other node shares a better one with it`
      : `${nodes} nodes can serve it: requests are balanced, and move when a node goes`
  const fetchable = best.options.map(({ plan }) => plan.candidate.source).find((each) => each.kind === 'hub')
  // A file that cannot be fetched is named, not pathed: each agent finds its own.
  const source: ModelSource = fetchable ?? { kind: 'local', path: null }
  return {
    modelId: candidate.modelId,
    name: candidate.name,
    source,
    present: there,
    added: best.options.map(({ node }) => node.nodeId),
    reason,
  }
}
