import type { TensorPlan } from '../write/gguf-writer.ts'
import { type ChainLayout, hashLength, hashUnit, headLength, layoutOf, unit } from './chain-layout.ts'
import { Matrix, onesPlan } from './demo-weights.ts'
import { outside, type WordChain } from './word-chain.ts'

/**
 * A word chain as a Llama of one block, by construction instead of training.
 *
 * The residual stream has sections: one for the current word (one-hot), one for each earlier word within reach (empty until attention
 * fills them), a constant, a hash of the token (kept apart for tokens that shall not sway the reply), and the mean hash of the context.
 * Attention heads in groups of `headsPerWord` look exactly 1, 2, ... places back and copy that token's one-hot; one more head looks
 * everywhere and takes the mean hash, so that different questions prefer different sentences even at temperature 0. The feed-forward
 * part is zero. The output matrix then adds, for every candidate, a bonus from each table of the chain that allows it.
 */
export interface ChainModel {
  readonly embeddingLength: number
  readonly headCount: number
  readonly headLength: number
  readonly feedForwardLength: number
  readonly ropeBase: number
  readonly normEpsilon: number
  readonly tensors: readonly TensorPlan[]
}

export interface ChainModelOptions {
  readonly chain: WordChain
  readonly tokenCount: number
  /** Token id of a word; of `outside`: the token that ends a reply. */
  readonly idOf: (word: string) => number
  /** Tokens that every prompt has: they shall not sway the choice of sentences. */
  readonly templateTokens: ReadonlySet<number>
}

/** Rows of zeros are all the feed-forward part needs. */
const feedForwardLength = 32
/** Against norm epsilon: the norms only rescale. */
const normEpsilon = 1e-6

/**
 * With this base and a head of 64 the sum over all frequencies of 1 - cos(f * (distance - wanted)) is at least 1.9 for every wrong
 * distance up to 32,768 tokens (computed; the nearest neighbours are the worst), so `lookStrength` leaves them e^-34 of the attention.
 */
const ropeBase = 100
const lookStrength = 12
/** How much of the mean hash arrives; its entries shrink with the square root of the context. */
const moodGain = 4

/** Bonus of an allowed candidate from the table of each distance: enough to stand out at temperature 2 and above. */
const bonuses: readonly number[] = [40, 20, 20]
/** Standing preference among allowed candidates, and how strongly the context's hash shifts it. */
const tasteStrength = 0.25
const moodStrength = 0.8

export function createChainModel(options: ChainModelOptions): ChainModel {
  const layout = layoutOf(options.chain)
  const { embeddingLength, headCount } = layout
  const attention = attentionMatrices(layout)
  return {
    embeddingLength,
    headCount,
    headLength,
    feedForwardLength,
    ropeBase,
    normEpsilon,
    tensors: [
      embeddingMatrix(options, layout).plan('token_embd.weight'),
      onesPlan('blk.0.attn_norm.weight', embeddingLength),
      attention.query.plan('blk.0.attn_q.weight'),
      attention.key.plan('blk.0.attn_k.weight'),
      attention.value.plan('blk.0.attn_v.weight'),
      attention.output.plan('blk.0.attn_output.weight'),
      onesPlan('blk.0.ffn_norm.weight', embeddingLength),
      new Matrix(feedForwardLength, embeddingLength).plan('blk.0.ffn_gate.weight'),
      new Matrix(feedForwardLength, embeddingLength).plan('blk.0.ffn_up.weight'),
      new Matrix(embeddingLength, feedForwardLength).plan('blk.0.ffn_down.weight'),
      onesPlan('output_norm.weight', embeddingLength),
      headMatrix(options, layout).plan('output.weight'),
    ],
  }
}

function embeddingMatrix({ chain, tokenCount, idOf, templateTokens }: ChainModelOptions, layout: ChainLayout): Matrix {
  const stateOf = new Map(chain.words.map((word, index) => [idOf(word), index + 1]))
  const embedding = new Matrix(tokenCount, layout.embeddingLength)
  for (let token = 0; token < tokenCount; token += 1) {
    embedding.set(token, stateOf.get(token) ?? 0, unit)
    embedding.set(token, layout.constantAt, unit)
    const at = stateOf.has(token) || templateTokens.has(token) ? layout.silentHashAt : layout.hashAt
    for (let index = 0; index < hashLength; index += 1) embedding.set(token, at + index, hashUnit * signOf(token, index))
  }
  return embedding
}

function attentionMatrices(layout: ChainLayout) {
  const { headsPerWord, headCount, embeddingLength, constantAt, normBefore, wordSection } = layout
  const attentionLength = headCount * headLength
  const query = new Matrix(attentionLength, embeddingLength)
  const key = new Matrix(attentionLength, embeddingLength)
  const value = new Matrix(attentionLength, embeddingLength)
  const output = new Matrix(embeddingLength, attentionLength)
  const perConstant = lookStrength / (unit * normBefore)
  for (let head = 0; head < headCount - 1; head += 1) {
    const back = Math.floor(head / headsPerWord) + 1
    const part = (head % headsPerWord) * headLength
    for (let index = 0; index < headLength; index += 1) {
      const row = head * headLength + index
      if (index % 2 === 0) {
        // A place rotates this pair by base^(-index / length); turning the key ahead by `back` places puts the peak there.
        const angle = back * ropeBase ** (-index / headLength)
        query.set(row, constantAt, perConstant)
        key.set(row, constantAt, perConstant * Math.cos(angle))
        key.set(row + 1, constantAt, perConstant * Math.sin(angle))
      }
      value.set(row, part + index, 1)
      output.set(wordSection * back + part + index, row, 1 / normBefore)
    }
  }
  // The last head keeps zero queries: equal attention to everything before it.
  for (let index = 0; index < hashLength; index += 1) {
    const row = (headCount - 1) * headLength + index
    value.set(row, layout.hashAt + index, 1)
    output.set(layout.moodAt + index, row, moodGain / normBefore)
  }
  return { query, key, value, output }
}

function headMatrix({ chain, tokenCount, idOf }: ChainModelOptions, layout: ChainLayout): Matrix {
  const { states, wordSection, moodAt, normAfter } = layout
  const head = new Matrix(tokenCount, layout.embeddingLength)
  for (const candidate of states) {
    const token = idOf(candidate)
    for (const [distance, table] of chain.seen.entries()) {
      for (const [state, word] of states.entries()) {
        if ((distance > 0 && word === outside) || !table.get(word)?.has(candidate)) continue
        const taste = distance === 0 ? tasteStrength * signOf(token, 1000 + state) : 0
        head.set(token, wordSection * distance + state, ((bonuses[distance] ?? 0) + taste) / (unit * normAfter))
      }
    }
    for (let index = 0; index < hashLength; index += 1) {
      head.set(token, moodAt + index, (moodStrength * signOf(token, 2000 + index)) / normAfter)
    }
  }
  return head
}

/** +1 or -1, by a hash of two numbers (the finaliser of MurmurHash3). */
function signOf(a: number, b: number): number {
  let hash = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca77)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & 1 ? 1 : -1
}
