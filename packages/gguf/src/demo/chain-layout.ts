import { chainReach, outside, type WordChain } from './word-chain.ts'

export const headLength = 64
export const hashLength = 32
/** One entry is used; the rest keeps rows a multiple of 32. */
const constantLength = 32
/** Length of a one-hot entry and of the constant in the stream. */
export const unit = 4
export const hashUnit = 0.5

/** Sections of the residual stream by their first index, and what the norms multiply it with. */
export interface ChainLayout {
  /** The word of each state; state 0 is outside the chain. */
  readonly states: readonly string[]
  readonly headsPerWord: number
  /** Section `distance` of this length holds the one-hot of the word that many places back. */
  readonly wordSection: number
  readonly constantAt: number
  readonly hashAt: number
  readonly silentHashAt: number
  readonly moodAt: number
  readonly embeddingLength: number
  readonly headCount: number
  readonly normBefore: number
  readonly normAfter: number
}

export function layoutOf(chain: WordChain): ChainLayout {
  const states = [outside, ...chain.words]
  const headsPerWord = Math.ceil(states.length / headLength)
  const wordSection = headsPerWord * headLength
  const constantAt = wordSection * chainReach
  const hashAt = constantAt + constantLength
  const silentHashAt = hashAt + hashLength
  const moodAt = silentHashAt + hashLength
  const embeddingLength = moodAt + hashLength
  // The norms divide by the root mean square: the same for every token by construction, so one factor undoes each. The mood is small.
  const squaresBefore = 2 * unit ** 2 + hashLength * hashUnit ** 2
  const squaresAfter = squaresBefore + (chainReach - 1) * unit ** 2
  return {
    states,
    headsPerWord,
    wordSection,
    constantAt,
    hashAt,
    silentHashAt,
    moodAt,
    embeddingLength,
    headCount: headsPerWord * (chainReach - 1) + 1,
    normBefore: Math.sqrt(embeddingLength / squaresBefore),
    normAfter: Math.sqrt(embeddingLength / squaresAfter),
  }
}
