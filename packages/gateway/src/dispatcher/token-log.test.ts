import { expect, test } from 'vitest'
import { createTokenLog } from './token-log.ts'

const frame = (epoch: number, seq: number, ...tokenIds: number[]) => ({ kind: 'tokens', epoch, seq, tokenIds, text: '' }) as const

test('frames that continue the log are taken, text without ids among them', () => {
  const log = createTokenLog()
  log.begin(1)
  expect([frame(1, 0, 10, 11), frame(1, 2), frame(1, 2, 12)].map((each) => log.append(each))).toEqual(['accepted', 'accepted', 'accepted'])
  expect(log.tokenIds).toEqual([10, 11, 12])
})

test('a repetition is stale, a hole is a gap, and neither changes the log', () => {
  const log = createTokenLog()
  log.begin(1)
  log.append(frame(1, 0, 10, 11))
  expect(log.append(frame(1, 0, 10, 11))).toBe('stale')
  expect(log.append(frame(1, 1, 99))).toBe('stale')
  expect(log.append(frame(1, 3, 99))).toBe('gap')
  expect(log.tokenIds).toEqual([10, 11])
})

test('frames of another attempt are stale even where they would fit', () => {
  const log = createTokenLog()
  expect(log.append(frame(1, 0, 10))).toBe('stale')
  log.begin(2)
  expect(log.append(frame(1, 0, 10))).toBe('stale')
  expect(log.append(frame(3, 0, 10))).toBe('stale')
  expect(log.append(frame(2, 0, 10))).toBe('accepted')
})
