import fc from 'fast-check'
import { expect, test } from 'vitest'
import { halfBits } from './half-float.ts'

/** IEEE 754 binary16, by its definition. */
function fromBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

test('every half comes back as its own bits', () => {
  for (let bits = 0; bits < 0x10000; bits += 1) {
    if (!Number.isNaN(fromBits(bits))) expect(halfBits(fromBits(bits))).toBe(bits)
  }
  expect(fromBits(halfBits(Number.NaN))).toBeNaN()
})

test('a number between two halves goes to the nearer one, and to the even one from the middle', () => {
  const lowerBits = fc.integer({ min: 0, max: 0x7bfe })
  fc.assert(
    fc.property(lowerBits, fc.integer({ min: 0, max: 16 }), fc.boolean(), (lower, sixteenth, isNegative) => {
      const from = fromBits(lower)
      const value = from + ((fromBits(lower + 1) - from) * sixteenth) / 16
      const isUpper = sixteenth > 8 || (sixteenth === 8 && lower % 2 === 1)
      const expected = isUpper ? lower + 1 : lower
      expect(halfBits(isNegative ? -value : value)).toBe(isNegative ? expected | 0x8000 : expected)
    }),
  )
})

test('beyond the largest half is infinity, below half of the smallest zero', () => {
  expect(halfBits(65_519)).toBe(0x7bff)
  expect(halfBits(65_520)).toBe(0x7c00)
  expect(halfBits(-1e30)).toBe(0xfc00)
  expect(halfBits(2 ** -26)).toBe(0)
  expect(halfBits(-(2 ** -26))).toBe(0x8000)
})
