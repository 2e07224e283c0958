import type { ModelId, NodeId, NodeModelState, NodeView, RequestId } from '@shoal/core'

export interface RoutingOptions {
  /** Requests that may wait at a time; one more is rejected with QUEUE_FULL. */
  readonly queueMax: number
  /** Failed attempts after which a request is given up. Default 3. */
  readonly attemptsMax?: number
  /** How long a request without its own deadline may wait. Default 120 s. */
  readonly waitMaxMs?: number
  /** How long the models of a lost node still count as existing, so that requests wait for its return. Default 5 min. */
  readonly goneMemoryMs?: number
  /** Quality of a model, higher is better, null = unknown; decides `auto`. Default: the catalog. */
  readonly rankOf?: (modelId: ModelId) => number | null
}

/** What routing needs of a model on a node; a `NodeModelState` fits. */
export type RoutedModel = Pick<NodeModelState, 'modelId' | 'status' | 'isDemo' | 'slotsTotal' | 'slotsUsed' | 'tokensPerSecond'>

/** A model's name, or `auto`: the best one there is. */
export type WantedModel = ModelId | 'auto'

/**
 * - finished: the request is complete
 * - failed-other-node: this node could not, another may: goes back to its place in the queue and never to this start of this node again
 * - refused: the node took no work (NODE_BUSY, NODE_DRAINING, MODEL_UNKNOWN: our view was stale). Back to its place in the queue; the node
 *   gets no more of this model until its next report. Does not count as a failed attempt
 * - failed: over, for whatever reason (also: cancelled, or text was already sent and cannot be continued)
 */
export type AttemptOutcome = 'finished' | 'failed-other-node' | 'refused' | 'failed'

/**
 * What happens to the table. `nowMs` is monotonic time, the same clock in every event.
 * - nodeChanged: a snapshot of a node, or a change of its liveness. A snapshot that is not newer than the known one
 *   only updates `suspect`
 * - nodeLost: the node is gone. Its running attempts still have to be ended one by one, by whoever runs them
 * - requested: a new request. `deadlineMs` is the point in time (same clock) after which it must not wait any longer
 * - attemptEnded: the outcome of a dispatch
 * - cancelled: the client went away. A waiting request is forgotten; a running one keeps its slot until attemptEnded says that it is free
 * - tick: time passes; send one at least every second while requests wait
 */
export type RoutingEvent =
  | {
      readonly kind: 'nodeChanged'
      readonly nowMs: number
      readonly nodeId: NodeId
      readonly incarnation: string
      readonly version: number
      readonly draining: boolean
      readonly suspect: boolean
      readonly models: readonly RoutedModel[]
    }
  | { readonly kind: 'nodeLost'; readonly nowMs: number; readonly nodeId: NodeId }
  | {
      readonly kind: 'requested'
      readonly nowMs: number
      readonly requestId: RequestId
      readonly model: WantedModel
      readonly deadlineMs?: number | null
    }
  | {
      readonly kind: 'attemptEnded'
      readonly nowMs: number
      readonly requestId: RequestId
      readonly nodeId: NodeId
      readonly outcome: AttemptOutcome
    }
  | { readonly kind: 'cancelled'; readonly nowMs: number; readonly requestId: RequestId }
  | { readonly kind: 'tick'; readonly nowMs: number }

export type RejectCode = 'MODEL_UNKNOWN' | 'NO_NODE' | 'QUEUE_FULL' | 'DEADLINE_EXCEEDED'

/**
 * What the caller has to do.
 * - dispatch: start attempt number `attempt` (1, 2, ...; usable as epoch) on this node and report its end by attemptEnded
 * - reject: the request is over. After `failedAttempts > 0` the last attempt's own error says more than `code`
 */
export type RoutingEffect =
  | {
      readonly kind: 'dispatch'
      readonly requestId: RequestId
      readonly nodeId: NodeId
      readonly modelId: ModelId
      readonly attempt: number
    }
  | {
      readonly kind: 'reject'
      readonly requestId: RequestId
      readonly code: RejectCode
      /** For the Retry-After header; null = trying again does not help. */
      readonly retryAfterMs: number | null
      readonly failedAttempts: number
    }

/** The nodeChanged event of a node as the gateway sees it. */
export function nodeChangedEvent(view: NodeView, nowMs: number): RoutingEvent {
  const { nodeId, incarnation, version, draining, models } = view.state
  return { kind: 'nodeChanged', nowMs, nodeId, incarnation, version, draining, suspect: view.liveness === 'suspect', models }
}
