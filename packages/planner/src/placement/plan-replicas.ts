import type { ModelId, NodeId } from '@shoal/core'
import { explainSizing } from '../sizing/explain-sizing.ts'
import { memoryBudget } from '../sizing/memory-budget.ts'
import type { LoadShape } from '../sizing/memory-terms.ts'
import type { ModelDimensions } from '../sizing/model-dimensions.ts'
import { predictSpeed } from '../sizing/predict-speed.ts'
import { shapeDefault, shapesToTry } from '../sizing/shapes.ts'
import { type Sizing, sizeModel } from '../sizing/size-model.ts'
import { freedBytesOf, type PlacementNode } from './placement-nodes.ts'

/**
 * - draining, suspect: gets no new replica for now
 * - lacks-model: only nodes that have the file, or the model loaded, come into question, and this is none
 * - does-not-fit, no-disk: `reason` says what is too large
 */
export type RefusalKind = 'draining' | 'suspect' | 'lacks-model' | 'does-not-fit' | 'no-disk'

export interface Refusal {
  readonly nodeId: NodeId
  readonly hostname: string
  readonly kind: RefusalKind
  /** For people. */
  readonly reason: string
}

export interface ReplicaPlan {
  /** All nodes that should have the model: those that keep it, then new ones in order of choice. */
  readonly nodeIds: readonly NodeId[]
  readonly added: readonly NodeId[]
  /** Have a replica too many: unload it. */
  readonly removed: readonly NodeId[]
  /** Have a replica that no longer counts because they are draining: they finish what they run, so leave it to them. */
  readonly leaving: readonly NodeId[]
  /** Every node that can take no replica, and why. */
  readonly refusals: readonly Refusal[]
  /** Why fewer replicas than wished are placed; null when all are. */
  readonly reason: string | null
}

export interface ReplicaQuery {
  readonly nodes: readonly PlacementNode[]
  readonly modelId: ModelId
  /** Null = nothing is known of the model yet: it is taken to fit, and the agent finds out. */
  readonly dimensions: ModelDimensions | null
  readonly replicas: number
  /** Nodes that hold a replica, in order of assignment; also those that are away for a moment and expected back. */
  readonly current?: readonly NodeId[]
  /** Nodes that tried to load it and could not: taken only when there is no other. */
  readonly failedNodeIds?: ReadonlySet<NodeId>
  /**
   * - file: the file cannot be fetched, so only nodes that have it, or the model loaded
   * - loaded: only nodes that have the model loaded or on its way (a gateway that has just started waits for them)
   */
  readonly only?: 'file' | 'loaded' | null
  /** Asked for explicitly: the model must fit with this; null = the agent may give up slots and context, see `shapesToTry`. */
  readonly contextTokens?: number | null
  readonly slots?: number | null
}

interface Place {
  readonly nodeId: NodeId
  readonly hasFailed: boolean
  /** 2 = serves it, 1 = is getting it, 0 = neither. */
  readonly loaded: number
  /** Other real models on the machine. */
  readonly otherModels: number
  readonly hasFile: boolean
  readonly tokensPerSecond: number
  readonly freeBytes: number
}

/**
 * Which nodes load a model; at most one replica per node. A replica stays where it is, even on a suspect node and even when a better node has come:
 * moving costs a load and every prefix in its cache. Too many: the newest go, those that do not serve yet first. Too few: first nodes that
 * have the model loaded anyway, then those with fewest other models, then with the file, then the faster, then with most
 * memory left; where it failed to load comes last.
 */
export function planReplicas(query: ReplicaQuery): ReplicaPlan {
  const byId = new Map(query.nodes.map((node) => [node.nodeId, node]))
  const current = query.current ?? []
  const leaving = current.filter((nodeId) => byId.get(nodeId)?.draining === true)
  const staying = current.filter((nodeId) => !leaving.includes(nodeId))
  const kept = shrink(query, staying, byId)
  const refusals: Refusal[] = []
  const places: Place[] = []
  for (const node of query.nodes) {
    if (staying.includes(node.nodeId)) continue
    const place = placeOn(query, node)
    if ('kind' in place) refusals.push(place)
    else places.push(place)
  }
  const missing = Math.max(0, query.replicas - kept.length)
  const added = places.toSorted(byPreference).slice(0, missing)
  const nodeIds = [...kept, ...added.map((place) => place.nodeId)]
  return {
    nodeIds,
    added: added.map((place) => place.nodeId),
    removed: staying.filter((nodeId) => !kept.includes(nodeId)),
    leaving,
    refusals,
    reason: nodeIds.length >= query.replicas ? null : explainShortage(query, nodeIds.length, refusals),
  }
}

function shrink(query: ReplicaQuery, staying: readonly NodeId[], byId: ReadonlyMap<NodeId, PlacementNode>): readonly NodeId[] {
  const serves = (nodeId: NodeId): boolean =>
    byId.get(nodeId)?.models.some((model) => model.modelId === query.modelId && model.isReady) === true
  const order = [...staying.filter(serves), ...staying.filter((nodeId) => !serves(nodeId))]
  const chosen = new Set(order.slice(0, query.replicas))
  return staying.filter((nodeId) => chosen.has(nodeId))
}

function placeOn(query: ReplicaQuery, node: PlacementNode): Place | Refusal {
  const { nodeId, hostname, profile } = node
  const refuse = (kind: RefusalKind, reason: string): Refusal => ({ nodeId, hostname, kind, reason })
  if (node.draining) return refuse('draining', 'is draining')
  if (node.suspect) return refuse('suspect', 'does not answer')
  const here = node.models.find((model) => model.modelId === query.modelId)
  const hasFile = node.localModels.some((local) => local.modelId === query.modelId)
  if (here === undefined && query.only === 'loaded') return refuse('lacks-model', 'does not have the model loaded')
  if (here === undefined && !hasFile && query.only === 'file') return refuse('lacks-model', 'does not have the file')
  const place = {
    nodeId,
    hasFailed: query.failedNodeIds?.has(nodeId) === true,
    loaded: here === undefined ? 0 : here.isReady ? 2 : 1,
    otherModels: node.models.filter((model) => !model.isDemo && model.modelId !== query.modelId).length,
    hasFile,
  }
  const { dimensions } = query
  if (dimensions === null || here !== undefined) return { ...place, tokensPerSecond: 0, freeBytes: profile.memory.availableBytes }
  const sizing = fitOn(query, node, dimensions)
  if (sizing.fits === false) return refuse('does-not-fit', explainSizing(sizing))
  const diskBytes = profile.disk?.freeBytes ?? null
  if (!hasFile && diskBytes !== null && dimensions.weightBytes > diskBytes) return refuse('no-disk', 'has no room for the file on its disk')
  const tokensPerSecond = predictSpeed({ dimensions, profile, sizing }).tokensPerSecondAtLeast ?? 0
  const freeBytes = sizing.budgetBytes.ram + (sizing.budgetBytes.vram ?? 0) - (sizing.plannedBytes.total ?? dimensions.weightBytes)
  return { ...place, tokensPerSecond, freeBytes }
}

/** The first shape that fits, or the smallest one. */
function fitOn(query: ReplicaQuery, node: PlacementNode, dimensions: ModelDimensions): Sizing {
  const budget = memoryBudget(node.profile, freedBytesOf(node))
  const contextTokens = query.contextTokens ?? null
  const slots = query.slots ?? null
  const wanted: LoadShape = { contextTokens: contextTokens ?? shapeDefault.contextTokens, slots: slots ?? shapeDefault.slots }
  const isAllowed = (shape: LoadShape): boolean =>
    (contextTokens === null || shape.contextTokens === contextTokens) && (slots === null || shape.slots === slots)
  let sizing = sizeModel({ dimensions, budget, ...wanted })
  for (const shape of shapesToTry(wanted, dimensions.contextTokensTrained).filter(isAllowed)) {
    if (sizing.fits !== false) break
    sizing = sizeModel({ dimensions, budget, ...shape })
  }
  return sizing
}

/** Speeds within about a quarter count as equal, as in routing. */
const speedClass = (tokensPerSecond: number): number => Math.round(Math.log2(1 + tokensPerSecond) * 3)

function byPreference(a: Place, b: Place): number {
  return (
    Number(a.hasFailed) - Number(b.hasFailed) ||
    b.loaded - a.loaded ||
    a.otherModels - b.otherModels ||
    Number(b.hasFile) - Number(a.hasFile) ||
    speedClass(b.tokensPerSecond) - speedClass(a.tokensPerSecond) ||
    b.freeBytes - a.freeBytes ||
    (a.nodeId < b.nodeId ? -1 : 1)
  )
}

function explainShortage(query: ReplicaQuery, placed: number, refusals: readonly Refusal[]): string {
  if (query.nodes.length === 0) return 'No node is connected.'
  const nodes = query.nodes.length === 1 ? '1 node' : `${query.nodes.length} nodes`
  const head = `${placed} of ${query.replicas} replicas are placed on ${nodes}`
  if (refusals.length === 0) return `${head}; a node holds one replica at most.`
  return `${head}: ${refusals.map((refusal) => `${refusal.hostname} ${refusal.reason}`).join('; ')}.`
}
