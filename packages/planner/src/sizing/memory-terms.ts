import type { ModelDimensions } from './model-dimensions.ts'

/**
 * - reserve: kept free for the system and other programs
 * - weights, kvCache, recurrentState, compute: the model's
 * - runtime: of the child process itself
 * - engine: KV cache, state and compute buffers together, where the engine's own estimate of the real header was given
 * - checkpoints: copies of recurrent state that the engine keeps between turns; there are none right after a load
 */
export type TermName = 'reserve' | 'runtime' | 'weights' | 'recurrentState' | 'compute' | 'kvCache' | 'engine' | 'checkpoints'

/** Room that a fit needs and a load does not take: not in what is planned for the load, nor in what is measured after it. */
export const isHeadroom = (name: TermName): boolean => name === 'reserve' || name === 'checkpoints'

/**
 * - exact: follows from sizes of tensors
 * - estimate: from a formula, or the engine's own estimator
 * - measured: corrected by what a load on this node took
 */
export type TermSource = 'exact' | 'estimate' | 'measured'

export interface MemoryTerm {
  readonly name: TermName
  readonly memory: 'ram' | 'vram'
  /** Null = unknown; then nobody can say whether the model fits. */
  readonly bytes: number | null
  readonly source: TermSource
}

export interface LoadShape {
  /** Tokens of context per slot. */
  readonly contextTokens: number
  readonly slots: number
}

/** Tokens in one physical batch of the engine; its buffers are sized for it. */
const batchTokens = 512

/**
 * KV cache in f16. A sliding window keeps the window and one batch, rounded up to 256 cells, per slot (llama.cpp, llama-kv-cache-iswa).
 * Contexts are rounded up to 256 cells, too.
 */
export function kvCacheBytes(dimensions: ModelDimensions, { contextTokens, slots }: LoadShape): number | null {
  const { kvBytesPerToken, windowKvBytesPerToken, slidingWindowTokens } = dimensions
  if (kvBytesPerToken === null) return null
  const cells = roundUp(contextTokens)
  const windowCells = slidingWindowTokens === null ? cells : Math.min(cells, roundUp(slidingWindowTokens + batchTokens))
  return (kvBytesPerToken * cells + windowKvBytesPerToken * windowCells) * slots
}

export function recurrentStateBytes(dimensions: ModelDimensions, { slots }: LoadShape): number | null {
  const perSequence = dimensions.recurrentStateBytesPerSequence
  return perSequence === null ? null : perSequence * slots
}

/** At most so many per slot, as the engine is told (engine/design.md). */
const checkpointsMax = 2

/** Recurrent state cannot roll back, so the engine keeps copies of it where a next turn may go on. In RAM, wherever the layers are. */
export function checkpointBytes(dimensions: ModelDimensions, { slots }: LoadShape): number {
  return checkpointsMax * (dimensions.recurrentStateBytesPerSequence ?? 0) * slots
}

/** For a model of which the catalog does not know it: the largest in use. */
const vocabularySizeMax = 262_144
/** Dense models are three to four times as wide in the middle of a layer. */
const feedForwardRatio = 3.5
const graphBytes = 5e6

/**
 * Compute buffers, estimated. The logits of a whole batch dominate them: llama.cpp lays them out for every token of the batch although
 * only the last token of each sequence fills its row. In VRAM the buffer is taken as a whole; in RAM pages that nobody
 * touches cost nothing, so there the step that counts is the widest of a layer. Plus the attention mask in f16.
 *
 * Checked against node-llama-cpp 3.22.1's layout of models with the dimensions of Qwen3.5 0.8B to 27B, Llama 3.2 3B and Qwen3-30B-A3B
 * at contexts of 4k to 32k: `committed` is 0.97 to 1.2 of it.
 */
export function computeBytes(dimensions: ModelDimensions, shape: LoadShape, kind: 'committed' | 'touched'): number | null {
  const { embeddingLength, layerCount } = dimensions
  if (embeddingLength === null || layerCount === null) return null
  const vocabularySize = dimensions.vocabularySize ?? vocabularySizeMax
  const feedForwardLength = dimensions.feedForwardLength ?? embeddingLength * feedForwardRatio
  const mask = batchTokens * 2 * roundUp(shape.contextTokens)
  const step =
    4 *
    batchTokens *
    (3 * embeddingLength + (kind === 'committed' ? Math.max(vocabularySize, 4 * feedForwardLength) : 4 * feedForwardLength))
  const logits = kind === 'committed' ? 0 : 4 * vocabularySize * shape.slots
  return Math.round(step + mask + logits + graphBytes)
}

/** Logits of a whole batch: in the engine's estimate, but never touched in RAM. */
export const untouchedLogitsBytes = (dimensions: ModelDimensions): number =>
  4 * batchTokens * (dimensions.vocabularySize ?? vocabularySizeMax)

/** Node, the native libraries and buffers of a child process without a model. */
const processBytes = 135e6
/** Tokens, merges and their lookup tables in native code and in JavaScript. */
const vocabularyBytesPerToken = 1400

/**
 * A child process without weights and context. Measured on Linux x64 with node-llama-cpp 3.22.1 on Node 24: 133 MB, and 1100 to 2000 bytes
 * per vocabulary entry (128,256 and 32,000 entries; 1350 to 1500 for 248,320).
 */
export const runtimeBytes = (dimensions: ModelDimensions): number =>
  Math.round(processBytes + vocabularyBytesPerToken * (dimensions.vocabularySize ?? vocabularySizeMax))

const roundUp = (tokens: number): number => Math.ceil(tokens / 256) * 256
