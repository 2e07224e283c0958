import type { CancelSignal } from './abort-signal.ts'
import type { ModelSource } from './deployment.ts'
import type { ModelId } from './ids.ts'
import type { GenerateEvent, InferenceRequest } from './inference.ts'
import type { NodeDescription, NodeModelState, NodeState } from './node-state.ts'

export interface LoadModelCommand {
  readonly modelId: ModelId
  readonly source: ModelSource
  /** Null = the agent's planner chooses what fits. */
  readonly contextTokens: number | null
  readonly slots: number | null
}

export interface DrainResult {
  /** Requests that were still running when the deadline came. */
  readonly unfinished: number
}

/**
 * What a gateway may ask of a node. The agent implements it, the gRPC server serves it, the gRPC client and the in-memory loopback
 * offer it: one interface on both ends. Every method rejects with ShoalError only.
 */
export interface NodeApi {
  describe(signal: CancelSignal): Promise<NodeDescription>
  /**
   * Snapshots: one at once, one after every change, and at least one every `heartbeatMs`.
   * Resolves when the node ends the stream (it is leaving), rejects with NODE_LOST when it breaks.
   */
  watch(options: { readonly heartbeatMs: number }, onState: (state: NodeState) => void, signal: CancelSignal): Promise<void>
  /** Obtains the file if need be, loads it, reports on the way; resolves when ready. */
  loadModel(command: LoadModelCommand, onProgress: (state: NodeModelState) => void, signal: CancelSignal): Promise<NodeModelState>
  unloadModel(modelId: ModelId, signal: CancelSignal): Promise<void>
  /** Refuses new work at once, resolves when the running requests have ended or `deadlineMs` has passed. */
  drain(options: { readonly deadlineMs: number }, signal: CancelSignal): Promise<DrainResult>
  /** As `LoadedModel.generate`; also rejects with MODEL_UNKNOWN, NODE_DRAINING, NODE_LOST. */
  generate(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: CancelSignal): Promise<void>
}
