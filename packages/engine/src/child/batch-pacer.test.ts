import type { BatchItem } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'
import { createBatchPacer, nextBudget, planBatch } from './batch-pacer.ts'

const limits = { budgetTokens: 32, sizeTokens: 512 }
const items = (...lengths: number[]) =>
  lengths.map((length) => ({ tokens: { length }, logits: [], evaluationPriority: 5 }) as unknown as BatchItem)

describe('what goes into a decode', () => {
  test.each([
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
  ])('%j becomes %j of a budget of 32', (lengths, amounts) => {
    expect(planBatch(lengths, limits)).toEqual(amounts)
  })

  test('prefills go on, however many single steps there are', () => {
    const amounts = planBatch([...Array.from({ length: 40 }, () => 1), 100], limits)
    expect(amounts.at(-1)).toBe(8)
  })

  test('never more than the context can hold', () => {
    expect(planBatch([1, 1, 1, 50], { budgetTokens: 32, sizeTokens: 4 })).toEqual([1, 1, 1, 1])
    expect(planBatch([1, 1, 1], { budgetTokens: 32, sizeTokens: 2 })).toEqual([1, 1, 0])
  })
})

test('the budget moves towards 100 ms a decode, at most twofold at a time, within its limits', () => {
  const last = { budget: 32, tokens: 32, tookMs: 100, batchTokensMax: 512 }
  expect(nextBudget(last)).toBe(32)
  expect(nextBudget({ ...last, tookMs: 1 })).toBe(64)
  expect(nextBudget({ ...last, tookMs: 5000 })).toBe(16)
  expect(nextBudget({ ...last, budget: 8, tokens: 8, tookMs: 5000 })).toBe(8)
  expect(nextBudget({ ...last, budget: 500, tokens: 500, tookMs: 1 })).toBe(512)
})

describe('watching decodes', () => {
  function start() {
    let now = 0
    const pacer = createBatchPacer(() => now, 512)
    return { pacer, wait: (ms: number) => (now += ms) }
  }

  test('a decode runs from the call of the strategy to its first result', () => {
    const { pacer, wait } = start()
    pacer.evaluationQueued()
    expect(pacer.progress()).toEqual({ completedDecodes: 0, runningDecodeAgeMs: null, slowestDecodeMs: 0 })
    pacer.strategy({ items: items(1), size: 512 })
    wait(40)
    expect(pacer.progress()).toEqual({ completedDecodes: 0, runningDecodeAgeMs: 40, slowestDecodeMs: 0 })
    pacer.evaluationEnded()
    expect(pacer.progress()).toEqual({ completedDecodes: 1, runningDecodeAgeMs: null, slowestDecodeMs: 40 })
  })

  test('the next decode ends the one before, and late results of that are not taken for its own', () => {
    const { pacer, wait } = start()
    pacer.evaluationQueued()
    pacer.evaluationQueued()
    pacer.strategy({ items: items(1, 1), size: 512 })
    wait(10)
    pacer.evaluationEnded()
    pacer.evaluationQueued()
    pacer.strategy({ items: items(1), size: 512 })
    wait(5)
    pacer.evaluationEnded()
    expect(pacer.progress()).toMatchObject({ completedDecodes: 1, runningDecodeAgeMs: 5 })
    pacer.evaluationEnded()
    expect(pacer.progress()).toMatchObject({ completedDecodes: 2, runningDecodeAgeMs: null })
  })

  test('slow prefills make the next chunks smaller, quick ones larger', () => {
    const { pacer, wait } = start()
    const before = pacer.chunkTokens()
    for (let turn = 0; turn < 3; turn++) {
      pacer.evaluationQueued()
      pacer.strategy({ items: items(before), size: 512 })
      wait(1)
      pacer.evaluationEnded()
    }
    expect(pacer.chunkTokens()).toBeGreaterThan(before)
    for (let turn = 0; turn < 6; turn++) {
      pacer.evaluationQueued()
      pacer.strategy({ items: items(pacer.chunkTokens()), size: 512 })
      wait(1000)
      pacer.evaluationEnded()
    }
    expect(pacer.chunkTokens()).toBeLessThan(before)
  })
})
