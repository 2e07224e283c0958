import { expect, test } from 'vitest'
import { sizeBackOffMs } from './back-off.ts'

const full = () => 1 - Number.EPSILON

test('a node that was here lately is tried within a second however often it failed', () => {
  const delays = [1, 2, 3, 4, 5, 50, 5000].map((failures) => Math.round(sizeBackOffMs({ failures, ageMs: 0, random: full })))
  expect(delays).toEqual([100, 200, 400, 800, 1000, 1000, 1000])
})

test('one that has been away for five minutes is tried every ten seconds', () => {
  expect(Math.round(sizeBackOffMs({ failures: 50, ageMs: 5 * 60_000, random: full }))).toBe(10_000)
})

test('chance takes up to half of the delay away', () => {
  expect(sizeBackOffMs({ failures: 5, ageMs: 0, random: () => 0 })).toBe(500)
})
