import type { CancelSignal } from './abort-signal.ts'
import type { ModelId } from './ids.ts'
import type { GenerateEvent, InferenceRequest, LoadedFacts, LoadOptions } from './inference.ts'

export interface EngineLoadSpec {
  readonly modelId: ModelId
  /** Absolute path of the (first part of the) GGUF. Its header was checked before. */
  readonly path: string
  readonly options: LoadOptions
}

/**
 * - ready: serves
 * - restarting: the process behind it died or hung and is being replaced; requests get ENGINE_UNAVAILABLE
 * - failed: it could not be brought back; `error` says why
 * - closed: disposed
 */
export type EngineStatus =
  | { readonly kind: 'ready' }
  | { readonly kind: 'restarting'; readonly error: string }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'closed' }

/** One loaded model. Disposing it frees all it holds within a bounded time, whatever its native code does. */
export interface LoadedModel extends AsyncDisposable {
  readonly modelId: ModelId
  /** Of the running process; changes when it is replaced. */
  readonly facts: LoadedFacts
  readonly status: EngineStatus
  /** Sequences being prefilled or decoded now. */
  readonly slotsUsed: number
  /** Decode speed of the last requests for one stream, tokens per second; null before the first. */
  readonly tokensPerSecond: number | null
  /** Called after every change of status, slots or speed. */
  onChange(listener: () => void): void
  /**
   * Runs one request; resolves after the `finished` event.
   * Rejects with NODE_BUSY when no slot is free, CONTEXT_LENGTH_EXCEEDED, CANCELLED (signal), ENGINE_CRASHED, ENGINE_STUCK, ENGINE_UNAVAILABLE.
   */
  generate(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: CancelSignal): Promise<void>
}

/** What runs models. The real one (node-llama-cpp in a child process) and the mock pass one contract suite. */
export interface Engine {
  /** `onProgress` gets 0 to 1. Rejects with LOAD_FAILED, MODEL_FILE_INVALID, MODEL_DOES_NOT_FIT or CANCELLED. */
  loadModel(spec: EngineLoadSpec, onProgress: (progress: number) => void, signal: CancelSignal): Promise<LoadedModel>
}
