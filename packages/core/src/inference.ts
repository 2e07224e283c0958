import type { ModelId, RequestId } from './ids.ts'

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
}

/** Sampling parameters; null = the engine's default for the model. Ranges are checked at the gateway. */
export interface Sampling {
  /** 0 = greedy. */
  readonly temperature: number | null
  readonly topP: number | null
  readonly topK: number | null
  readonly minP: number | null
  readonly frequencyPenalty: number | null
  readonly presencePenalty: number | null
  readonly repeatPenalty: number | null
  readonly seed: number | null
  /** Token id -> bias added to its logit, -100 to 100. */
  readonly logitBias: Readonly<Record<string, number>> | null
}

export const defaultSampling: Sampling = {
  temperature: null,
  topP: null,
  topK: null,
  minP: null,
  frequencyPenalty: null,
  presencePenalty: null,
  repeatPenalty: null,
  seed: null,
  logitBias: null,
}

/**
 * One validated request for tokens, as gateway, agent and engine see it. Stop strings are absent on purpose:
 * they are matched in one place, the gateway, over the one text stream.
 */
export interface InferenceRequest {
  readonly requestId: RequestId
  readonly modelId: ModelId
  /** Attempt number; frames of an older epoch are dropped by the gateway (fencing). */
  readonly epoch: number
  readonly messages: readonly ChatMessage[]
  readonly sampling: Sampling
  /** Upper bound of generated tokens; null = until the model stops or the context is full. */
  readonly tokensMax: number | null
  /** Value of the template variable `enable_thinking`; false unless asked otherwise. */
  readonly thinking: boolean
}

export type FinishReason = 'stop' | 'length'

/**
 * What an engine says of one running request, in this order: accepted, then tokens and heartbeats mixed, then finished.
 * - accepted: the prompt was rendered and tokenised and a slot was given
 * - tokens: ids and their text; `seq` is the index of the first id, frames are contiguous; text holds whole characters only
 *   and may be empty while a character or word piece is incomplete
 * - heartbeat: native progress: decodes completed by the context, and the age of the one now running
 * - finished: the end; text that was still held back precedes it as a tokens frame without ids
 * A failed request ends by a thrown ShoalError instead of `finished`.
 */
export type GenerateEvent =
  | { readonly kind: 'accepted'; readonly promptTokens: number; readonly cachedTokens: number; readonly promptTokenIds: readonly number[] }
  | { readonly kind: 'tokens'; readonly epoch: number; readonly seq: number; readonly tokenIds: readonly number[]; readonly text: string }
  | { readonly kind: 'heartbeat'; readonly completedDecodes: number; readonly runningDecodeAgeMs: number | null }
  | { readonly kind: 'finished'; readonly reason: FinishReason; readonly completionTokens: number }

export interface LoadOptions {
  /** Tokens of context per slot. */
  readonly contextTokens: number
  /** Sequences decoded at a time. */
  readonly slots: number
  /** CPU threads; null = the engine chooses conservatively. */
  readonly threads: number | null
  /** Layers on the GPU; null = as many as fit. */
  readonly gpuLayers: number | null
}

/** What a loaded model really takes, measured by the engine child after loading. */
export interface LoadedFacts {
  readonly contextTokens: number
  readonly slots: number
  readonly threads: number
  readonly gpuLayers: number
  /** Resident anonymous + file memory of the child in bytes; null = could not be measured. */
  readonly residentBytes: number | null
  readonly vramBytes: number | null
  readonly loadMs: number
}
