import type { ModelId, NodeId, RequestId } from '@shoal/core'
import { rankOfModelId } from '../catalog/rank.ts'
import { createIndexedHeap, type HeapEntry, type IndexedHeap } from './indexed-heap.ts'
import type { RoutedModel, RoutingOptions, WantedModel } from './routing-events.ts'

export interface NodeEntry {
  readonly nodeId: NodeId
  incarnation: string
  version: number
  draining: boolean
  suspect: boolean
}

/** One model on one node. */
export interface Holder {
  readonly node: NodeEntry
  readonly modelId: ModelId
  report: RoutedModel
  /** Slots in use that are not ours, as of the last report. */
  foreignSlots: number
  /** Attempts of ours that ended since the last report: it may still count them. */
  endedSinceReport: number
  /** The node refused work of this model since its last report. */
  refusing: boolean
  /** Number of the last dispatch to it; the lowest one has rested longest. */
  lastDispatch: number
}

/**
 * - waiting: in its lane
 * - running: dispatched and not ended; `cancelled` = the client has gone, never dispatch again
 */
export type RequestState =
  | {
      readonly kind: 'waiting'
      readonly lane: Lane
      readonly laneEntry: HeapEntry<RequestEntry>
      readonly deadlineEntry: HeapEntry<RequestEntry>
    }
  | {
      readonly kind: 'running'
      readonly nodeId: NodeId
      readonly modelId: ModelId
      /** `incarnationKey` of the node when it got the request. */
      readonly nodeKey: string
      readonly startedMs: number
      readonly cancelled: boolean
    }

export interface RequestEntry {
  readonly requestId: RequestId
  readonly wanted: WantedModel
  /** Order of arrival; a request that comes back to the queue keeps it, so it stands before all that came later. */
  readonly sequence: number
  readonly deadlineMs: number
  dispatches: number
  failedAttempts: number
  /** `incarnationKey` of every start of a node that failed it. */
  excluded: readonly string[]
  state: RequestState | null
}

/**
 * Waiting requests with equal constraints: same model, same excluded nodes. Within a lane the order is that of arrival, so only heads
 * have to be looked at; with at most two exclusions per request there are few lanes, however many requests wait.
 */
export interface Lane {
  readonly key: string
  readonly wanted: WantedModel
  readonly excluded: readonly string[]
  readonly waiting: IndexedHeap<RequestEntry>
}

/**
 * The state of routing. It is owned by its `step` and changed in place: copying a queue of 10,000 on every event would cost more than routing.
 * Read it through the functions of this folder only.
 */
export interface RoutingTable {
  readonly options: Required<RoutingOptions>
  nowMs: number
  readonly nodes: Map<NodeId, NodeEntry>
  readonly holders: Map<ModelId, Map<NodeId, Holder>>
  /** Models of lost nodes -> node -> until when (ms) requests wait for its return. */
  readonly gone: Map<ModelId, Map<NodeId, number>>
  /** Our dispatched and unfinished attempts; outlives a lost node, for the attempts end later than it. */
  readonly ownRunning: Map<NodeId, Map<ModelId, number>>
  readonly requests: Map<RequestId, RequestEntry>
  readonly lanes: Map<string, Lane>
  readonly deadlines: IndexedHeap<RequestEntry>
  waitingCount: number
  sequence: number
  dispatchSequence: number
  /** Moving average of how long finished attempts took; null before the first. */
  serviceMs: number | null
  /** What `auto` means now; undefined = has to be computed again. */
  autoModelId: ModelId | null | undefined
}

export function createRoutingTable(options: RoutingOptions): RoutingTable {
  return {
    options: {
      queueMax: options.queueMax,
      attemptsMax: options.attemptsMax ?? 3,
      waitMaxMs: options.waitMaxMs ?? 120_000,
      goneMemoryMs: options.goneMemoryMs ?? 300_000,
      rankOf: options.rankOf ?? ((id) => rankOfModelId(id)),
    },
    nowMs: Number.NEGATIVE_INFINITY,
    nodes: new Map(),
    holders: new Map(),
    gone: new Map(),
    ownRunning: new Map(),
    requests: new Map(),
    lanes: new Map(),
    deadlines: createIndexedHeap((a, b) => a.deadlineMs < b.deadlineMs),
    waitingCount: 0,
    sequence: 0,
    dispatchSequence: 0,
    serviceMs: null,
    autoModelId: undefined,
  }
}

/** A restarted agent is a new node to a request that its predecessor failed. */
export const incarnationKey = (node: NodeEntry): string => `${node.nodeId}@${node.incarnation}`

export const ownRunning = (table: RoutingTable, nodeId: NodeId, modelId: ModelId): number => table.ownRunning.get(nodeId)?.get(modelId) ?? 0

export function addOwnRunning(table: RoutingTable, place: { nodeId: NodeId; modelId: ModelId }, change: 1 | -1): void {
  const counts = table.ownRunning.get(place.nodeId) ?? new Map<ModelId, number>()
  const count = (counts.get(place.modelId) ?? 0) + change
  if (count > 0) counts.set(place.modelId, count)
  else counts.delete(place.modelId)
  if (counts.size > 0) table.ownRunning.set(place.nodeId, counts)
  else table.ownRunning.delete(place.nodeId)
}

/** Puts a request into its lane, by order of arrival. */
export function enqueue(table: RoutingTable, request: RequestEntry): void {
  const key = [request.wanted, ...request.excluded.toSorted()].join('\n')
  let lane = table.lanes.get(key)
  if (lane === undefined) {
    const waiting = createIndexedHeap<RequestEntry>((a, b) => a.sequence < b.sequence)
    lane = { key, wanted: request.wanted, excluded: request.excluded, waiting }
    table.lanes.set(key, lane)
  }
  request.state = { kind: 'waiting', lane, laneEntry: lane.waiting.push(request), deadlineEntry: table.deadlines.push(request) }
  table.waitingCount += 1
}

/** Takes a waiting request out of the queue; does nothing for one that does not wait. */
export function dequeue(table: RoutingTable, request: RequestEntry): void {
  if (request.state?.kind !== 'waiting') return
  const { lane, laneEntry, deadlineEntry } = request.state
  lane.waiting.remove(laneEntry)
  table.deadlines.remove(deadlineEntry)
  if (lane.waiting.size === 0) table.lanes.delete(lane.key)
  request.state = null
  table.waitingCount -= 1
}
