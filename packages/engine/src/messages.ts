import type { ErrorCode, FinishReason, InferenceRequest, LoadedFacts, LoadOptions } from '@shoal/core'

/** What engine and child say to each other over Node IPC (`serialization: 'advanced'`). */

/** Which compute layer the child may use; `auto` takes the best that works, `false` the CPU only. */
export type GpuChoice = 'auto' | 'cuda' | 'vulkan' | 'metal' | false

export interface LoadCommand {
  readonly kind: 'load'
  readonly path: string
  readonly options: LoadOptions
  readonly gpu: GpuChoice
}

export interface EstimateQuery {
  /** Absolute path of a GGUF; only its header has to be there. */
  readonly path: string
  /** Tokens of context per slot. */
  readonly contextTokens: number
  readonly slots: number
  readonly gpuLayers: number
  readonly gpu: GpuChoice
}

export type ToChild =
  | LoadCommand
  | { readonly kind: 'generate'; readonly run: number; readonly request: InferenceRequest }
  | { readonly kind: 'cancel'; readonly run: number }
  | { readonly kind: 'ask'; readonly ask: number; readonly question: Question }
  | { readonly kind: 'exit' }

/** One-off work for a child without a model. */
export type Question = { readonly kind: 'probe-gpus' } | ({ readonly kind: 'estimate' } & EstimateQuery)

export interface MemoryEstimate {
  readonly model: { readonly ramBytes: number; readonly vramBytes: number }
  /** KV cache, recurrent state and compute buffers of all slots. */
  readonly context: { readonly ramBytes: number; readonly vramBytes: number }
  /** What an engine child takes before it loads anything: Node and the native libraries. */
  readonly processRamBytes: number
}

/** Decodes completed by the context since it was made, and for how long the one now running has run. */
export interface NativeProgress {
  readonly completedDecodes: number
  readonly runningDecodeAgeMs: number | null
  /** Longest decode of the last ones, in ms: what counts as slow on this machine with this model. */
  readonly slowestDecodeMs: number
}

export interface ErrorFacts {
  readonly code: ErrorCode
  readonly message: string
  readonly remedy?: string
  readonly param?: string
}

/** Happenings of one run; `run` is the number its `generate` message carried. */
export type RunEvent =
  | {
      readonly kind: 'accepted'
      readonly run: number
      readonly promptTokenIds: Uint32Array
      readonly cachedTokens: number
    }
  | { readonly kind: 'tokens'; readonly run: number; readonly tokenIds: number[]; text: string }
  | { readonly kind: 'finished'; readonly run: number; readonly reason: FinishReason }
  | { readonly kind: 'failed'; readonly run: number; readonly error: ErrorFacts }

export type FromChild =
  /** Sent at a steady pace while the event loop of the child turns, whatever its native code does. */
  | { readonly kind: 'pulse'; readonly progress: NativeProgress }
  | { readonly kind: 'load-progress'; readonly progress: number }
  | { readonly kind: 'loaded'; readonly facts: LoadedFacts }
  | { readonly kind: 'load-failed'; readonly error: ErrorFacts }
  | { readonly kind: 'events'; readonly events: readonly RunEvent[] }
  | { readonly kind: 'answer'; readonly ask: number; readonly value: unknown }
  | { readonly kind: 'answer-failed'; readonly ask: number; readonly error: ErrorFacts }
  | { readonly kind: 'log'; readonly level: 'debug' | 'warn'; readonly message: string }
