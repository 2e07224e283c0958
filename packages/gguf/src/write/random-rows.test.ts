import { expect, test } from 'vitest'
import { fillRandom, fillUniform, RandomWords, type WeightType } from './random-rows.ts'

const elements = 64 * 1024

/** Reads one block type back by ggml's definition: value = scale * integer. */
function decode(bytes: Uint8Array, type: WeightType): number[] {
  const halves = new DataView(bytes.buffer)
  const half = (at: number): number => {
    const bits = halves.getUint16(at, true)
    const exponent = (bits >> 10) & 0x1f
    const size = exponent === 0 ? (bits & 0x3ff) * 2 ** -24 : (1024 + (bits & 0x3ff)) * 2 ** (exponent - 25)
    return bits & 0x8000 ? -size : size
  }
  if (type === 'F16') return Array.from({ length: elements }, (_, index) => half(index * 2))
  const blockBytes = type === 'Q8_0' ? 34 : 18
  return Array.from({ length: elements / 32 }, (_, block) => {
    const at = block * blockBytes
    return Array.from({ length: 32 }, (__, index) => {
      if (type === 'Q8_0') return half(at) * halves.getInt8(at + 2 + index)
      const packed = halves.getUint8(at + 2 + (index % 16))
      return half(at) * ((index < 16 ? packed & 15 : packed >> 4) - 8)
    })
  }).flat()
}

const bytesOf: Readonly<Record<WeightType, number>> = { F16: elements * 2, Q8_0: (elements / 32) * 34, Q4_0: (elements / 32) * 18 }

test.each<WeightType>(['F16', 'Q8_0', 'Q4_0'])('%s has mean 0, the wished deviation, and no long tail', (type) => {
  const bytes = new Uint8Array(bytesOf[type])
  fillRandom(bytes, type, 0.05, new RandomWords(7, 'weight'))
  const values = decode(bytes, type)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)
  expect(Math.abs(mean)).toBeLessThan(0.002)
  expect(deviation).toBeGreaterThan(0.049)
  expect(deviation).toBeLessThan(0.051)
  expect(Math.max(...values.map(Math.abs))).toBeLessThan(0.05 * 2)
})

test('rows of one matrix differ, and so do two matrices of one seed', () => {
  const whole = new Uint8Array(bytesOf.Q8_0)
  fillRandom(whole, 'Q8_0', 1, new RandomWords(1, 'a'))
  expect(whole.subarray(0, 340)).not.toEqual(whole.subarray(340, 680))
  const other = new Uint8Array(bytesOf.Q8_0)
  fillRandom(other, 'Q8_0', 1, new RandomWords(1, 'b'))
  expect(other).not.toEqual(whole)
})

test('uniform numbers fill their interval', () => {
  const values = new Float32Array(4096)
  fillUniform(new Uint8Array(values.buffer), { from: -3, to: -1 }, new RandomWords(1, 'dt'))
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-3)
  expect(Math.min(...values)).toBeLessThan(-2.99)
  expect(Math.max(...values)).toBeLessThan(-1)
  expect(Math.max(...values)).toBeGreaterThan(-1.01)
})
