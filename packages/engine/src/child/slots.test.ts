import { describe, expect, test } from 'vitest'
import { chooseSlot, countCommonPrefix } from './slots.ts'

const slot = (lastUsed: number, ...cachedTokenIds: number[]) => ({ cachedTokenIds, lastUsed })

test('counts the ids two lists begin with', () => {
  expect(countCommonPrefix([1, 2, 3], [1, 2, 4])).toBe(2)
  expect(countCommonPrefix([1, 2], [1, 2, 4])).toBe(2)
  expect(countCommonPrefix([], [1])).toBe(0)
})

describe('choosing a slot', () => {
  test('the one that holds most of the prompt wins', () => {
    expect(chooseSlot([slot(3, 9, 9), slot(1, 1, 2, 3), slot(2, 1, 2, 3, 4)], [1, 2, 3, 4, 5])).toBe(2)
  })

  test('a follow-up goes where its conversation lies, however long the answer was', () => {
    expect(chooseSlot([slot(0), slot(5, 1, 2, 3, 4, 5, 6, 7, 8, 9)], [1, 2, 3, 4])).toBe(1)
  })

  test('a short common beginning does not cost another conversation its cache', () => {
    expect(chooseSlot([slot(5, 1, 2, 3, 4, 5, 6, 7, 8), slot(0)], [1, 2, 30, 31, 32, 33, 34, 35])).toBe(1)
  })

  test('without a match: an empty slot first, then the one used longest ago', () => {
    expect(chooseSlot([slot(1, 7), slot(9)], [1])).toBe(1)
    expect(chooseSlot([slot(4, 7), slot(2, 8), slot(3, 9)], [1])).toBe(1)
  })

  test('no free slot is -1', () => {
    expect(chooseSlot([], [1])).toBe(-1)
  })
})
