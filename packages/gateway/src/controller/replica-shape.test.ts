import { expect, test } from 'vitest'
import { explainCut, outcomeDifference, shapeDifference } from './replica-shape.ts'

test.each([
  ['any wish', { contextTokens: null, slots: null }, null, null],
  ['the same shape', { contextTokens: 4096, slots: 4 }, null, null],
  ['a context the engine rounded up', { contextTokens: 4000, slots: null }, null, null],
  ['a wish cut to what the model was trained for', { contextTokens: 100_000, slots: null }, 4096, null],
  ['a longer context', { contextTokens: 8192, slots: null }, null, '4096 tokens of context, not 8192'],
  ['a longer context that is cut', { contextTokens: 100_000, slots: null }, 8192, '4096 tokens of context, not 8192'],
  ['a shorter context', { contextTokens: 2048, slots: null }, null, '4096 tokens of context, not 2048'],
  ['more slots', { contextTokens: null, slots: 8 }, null, '4 slots, not 8'],
  ['fewer slots', { contextTokens: 4096, slots: 1 }, null, '4 slots, not 1'],
])('4096 tokens and 4 slots against %s', (_name, wished, trained, difference) => {
  expect(shapeDifference(wished, { contextTokens: 4096, slotsTotal: 4 }, trained)).toBe(difference)
})

test.each([
  ['less than wished, when nobody knows what the model was trained for', { contextTokens: 8192, slots: 4 }, null, null],
  ['more than wished', { contextTokens: 1024, slots: 4 }, 8192, null],
  ['less than wished and trained for', { contextTokens: 100_000, slots: 4 }, 8192, '4096 tokens of context, not 8192'],
  ['fewer slots than wished', { contextTokens: null, slots: 8 }, null, '4 slots, not 8'],
])('a load for the wish that ends with %s', (_name, wished, trained, difference) => {
  expect(outcomeDifference(wished, { contextTokens: 4096, slotsTotal: 4 }, trained)).toBe(difference)
})

test('a wish beyond the training is explained, no other is', () => {
  expect(explainCut({ contextTokens: 100_000, slots: null }, 4096)).toContain('trained for 4096 tokens of context')
  expect(explainCut({ contextTokens: 4096, slots: null }, 4096)).toBeNull()
  expect(explainCut({ contextTokens: 100_000, slots: null }, null)).toBeNull()
  expect(explainCut({ contextTokens: null, slots: null }, 4096)).toBeNull()
})
