import { describe, expect, test } from 'vitest'
import { nextBudget, planBatch } from './plan-batch.ts'

const limits = { budgetTokens: 32, sizeTokens: 512 }

describe('what goes into a decode', () => {
  test.each([
    [[], []],
    [
      [1, 1, 1],
      [1, 1, 1],
    ],
    [[100], [32]],
    [
      [1, 100, 1],
      [1, 30, 1],
    ],
    [
      [20, 20, 20],
      [20, 12, 0],
    ],
    [
      [5, 20],
      [5, 20],
    ],
  ])('of %j goes %j with a budget of 32', (wanted, granted) => {
    expect(planBatch(wanted, limits)).toEqual(granted)
  })

  test('prefills go on, however many single steps there are', () => {
    const granted = planBatch([...Array.from({ length: 40 }, () => 1), 100], limits)
    expect(granted.at(-1)).toBe(8)
  })

  test('never more than the context can hold', () => {
    expect(planBatch([1, 1, 1, 50], { budgetTokens: 32, sizeTokens: 4 })).toEqual([1, 1, 1, 1])
    expect(planBatch([1, 1, 1], { budgetTokens: 32, sizeTokens: 2 })).toEqual([1, 1, 0])
  })
})

test('the budget moves towards 100 ms a decode, at most twofold at a time, within its limits', () => {
  const last = { budgetTokens: 32, tokens: 32, tookMs: 100, sizeTokens: 512 }
  expect(nextBudget(last)).toBe(32)
  expect(nextBudget({ ...last, tookMs: 1 })).toBe(64)
  expect(nextBudget({ ...last, tookMs: 5000 })).toBe(16)
  expect(nextBudget({ ...last, budgetTokens: 8, tokens: 8, tookMs: 5000 })).toBe(8)
  expect(nextBudget({ ...last, budgetTokens: 500, tokens: 500, tookMs: 1 })).toBe(512)
})
