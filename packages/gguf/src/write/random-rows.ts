import { halfBits } from './half-float.ts'

/** Types a generated weight can have. */
export type WeightType = 'F16' | 'Q8_0' | 'Q4_0'
type BlockType = Exclude<WeightType, 'F16'>

/** 16-bit units of one block of 32 elements: a half as scale, then the packed integers (ggml-common.h). */
const blockHalves: Readonly<Record<BlockType, number>> = { Q8_0: 17, Q4_0: 9 }

/**
 * Only odd integers are drawn: symmetric around zero and without the most negative one, which some kernels cannot negate.
 * Odd bytes are -127 ... 127; nibbles store value + 8, so odd ones are -7 ... 7.
 */
const oddMask: Readonly<Record<BlockType, number>> = { Q8_0: 0x01010101, Q4_0: 0x11111111 }
/** Standard deviation of the odd integers below n in magnitude: sqrt((n^2 - 1) / 3) for n = 128 and n = 8. */
const unitDeviation: Readonly<Record<BlockType, number>> = { Q8_0: Math.sqrt(16_383 / 3), Q4_0: Math.sqrt(21) }

/** Marsaglia's 32-bit xorshift: noise enough for a matrix product, and fast enough for gigabytes. */
export class RandomWords {
  #state: number

  /** The stream depends on both arguments only, so the tensors of a model do not depend on their order. */
  constructor(seed: number, name: string) {
    let state = 0x811c9dc5 ^ seed
    for (let index = 0; index < name.length; index += 1) state = Math.imul(state ^ name.charCodeAt(index), 0x01000193)
    state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    this.#state = (state ^ (state >>> 13)) | 1
  }

  /** Fills `words` with random bits, each word or-ed with `mask`. */
  fill(words: Uint32Array, mask: number): void {
    let state = this.#state
    for (let index = 0; index < words.length; index += 1) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[index] = state | mask
    }
    this.#state = state
  }
}

/** Fills `target` with values of mean 0 and the given standard deviation, in the bytes of `type`. */
export function fillRandom(target: Uint8Array, type: WeightType, deviation: number, random: RandomWords): void {
  const halves = new Uint16Array(target.buffer, target.byteOffset, target.byteLength / 2)
  const words = new Uint32Array(Math.ceil(halves.length / 2))
  random.fill(words, type === 'F16' ? 0 : oddMask[type])
  halves.set(new Uint16Array(words.buffer, 0, halves.length))
  if (type === 'F16') roundToTable(halves, deviation)
  else setScales(halves, type, halfBits(deviation / unitDeviation[type]))
}

/** Random bits -> a uniform distribution of that deviation, by a table: converting one by one would take most of the time. */
function roundToTable(halves: Uint16Array, deviation: number): void {
  const size = 4096
  const table = Uint16Array.from({ length: size }, (_, index) => halfBits(deviation * Math.sqrt(3) * ((2 * index + 1) / size - 1)))
  for (let index = 0; index < halves.length; index += 1) halves[index] = table[(halves[index] ?? 0) & (size - 1)] ?? 0
}

function setScales(halves: Uint16Array, type: BlockType, scale: number): void {
  const stride = blockHalves[type]
  for (let at = 0; at < halves.length; at += stride) halves[at] = scale
}

/** Fills `target` with single-precision numbers, uniform from `from` to `to`. */
export function fillUniform(target: Uint8Array, { from, to }: { readonly from: number; readonly to: number }, random: RandomWords): void {
  const values = new Float32Array(target.buffer, target.byteOffset, target.byteLength / 4)
  const words = new Uint32Array(values.length)
  random.fill(words, 0)
  for (let index = 0; index < values.length; index += 1) values[index] = from + ((to - from) * (words[index] ?? 0)) / 2 ** 32
}
