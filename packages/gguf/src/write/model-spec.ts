import type { WeightType } from './random-rows.ts'

interface CommonSpec {
  /** `general.name`. */
  readonly name: string
  /** Same spec, same seed: same bytes. */
  readonly seed: number
  /** Of all matrices; norms, routers and other small tensors are single precision, as converters do it. */
  readonly weightType: WeightType
  readonly contextTokens: number
  readonly layerCount: number
  readonly embeddingLength: number
  readonly headCount: number
  readonly headCountKv: number
  /** Width of one attention head. */
  readonly headLength: number
  /** Tokens, at least 300: bytes, special tokens, and the rest pieces of made-up words. */
  readonly vocabularySize: number
}

export interface ExpertSpec {
  readonly count: number
  readonly usedCount: number
  readonly feedForwardLength: number
}

/** Gated delta net of Qwen3.5; llama.cpp wants one width for the heads of queries, keys and values. */
export interface DeltaNetSpec {
  readonly convolutionKernel: number
  /** Width of one head. */
  readonly stateLength: number
  /** Heads of queries and keys. */
  readonly groupCount: number
  /** Heads of values, a multiple of `groupCount`. */
  readonly valueHeadCount: number
}

export interface LlamaSpec extends CommonSpec {
  readonly architecture: 'llama'
  readonly feedForwardLength: number
}

export interface Qwen3MoeSpec extends CommonSpec {
  readonly architecture: 'qwen3moe'
  readonly expert: ExpertSpec
}

export interface Qwen35Spec extends CommonSpec {
  readonly architecture: 'qwen35'
  readonly feedForwardLength: number
  /** Every n-th layer has full attention, the others a delta net. */
  readonly fullAttentionInterval: number
  readonly deltaNet: DeltaNetSpec
}

/** Dimensions of a model to be generated; lengths of matrix rows must be multiples of 32. */
export type ModelSpec = LlamaSpec | Qwen3MoeSpec | Qwen35Spec
