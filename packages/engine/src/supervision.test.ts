import { describe, expect, test } from 'vitest'
import { type ChildSigns, failuresMax, judgeChild, planRestart } from './supervision.ts'

const calm: ChildSigns = {
  nowMs: 100_000,
  isLoading: false,
  longestGapMs: 260,
  lastHeardMs: 99_900,
  busySinceMs: 99_000,
  idleBeforeMs: 0,
  lastProgressMs: 99_800,
  slowestDecodeMs: 50,
}

describe('judging a child', () => {
  test.each<[string, Partial<ChildSigns>, string]>([
    ['works', {}, 'fine'],
    ['is idle and pulses', { busySinceMs: null, lastProgressMs: 0 }, 'fine'],
    ['is idle and silent for 2 s', { busySinceMs: null, lastHeardMs: 98_000 }, 'silent'],
    ['is busy and silent for 2 s', { lastHeardMs: 98_000 }, 'silent'],
    ['is busy and silent for 1.9 s', { lastHeardMs: 98_100 }, 'fine'],
    ['has been late by a second on a busy machine, now by three', { lastHeardMs: 97_000, longestGapMs: 1000 }, 'fine'],
    ['has been late by a second on a busy machine, now by four', { lastHeardMs: 96_000, longestGapMs: 1000 }, 'silent'],
    ['has been late by a minute, now by ten seconds', { lastHeardMs: 90_000, longestGapMs: 60_000 }, 'silent'],
    ['loads its libraries', { isLoading: true, busySinceMs: null, lastHeardMs: 50_000 }, 'fine'],
    ['loads its libraries for ever', { isLoading: true, busySinceMs: null, lastHeardMs: 40_000 }, 'silent'],
    ['has pulsed but decoded nothing for 2.5 s', { busySinceMs: 90_000, lastProgressMs: 97_500 }, 'stuck'],
    ['began its work less than 2.5 s ago', { busySinceMs: 97_600, lastProgressMs: 10_000 }, 'fine'],
    ['has decodes of 1 s, and one of 10 s', { busySinceMs: 80_000, lastProgressMs: 90_000, slowestDecodeMs: 1000 }, 'fine'],
    ['has decodes of 1 s, and one of 20 s', { busySinceMs: 70_000, lastProgressMs: 80_000, slowestDecodeMs: 1000 }, 'stuck'],
    ['reads its weights again after a long pause', { busySinceMs: 80_000, lastProgressMs: 1000, idleBeforeMs: 70_000 }, 'fine'],
    ['reads them for more than 30 s', { busySinceMs: 69_000, lastProgressMs: 1000, idleBeforeMs: 70_000 }, 'stuck'],
    ['was warm again and then stopped', { busySinceMs: 80_000, lastProgressMs: 90_000, idleBeforeMs: 70_000 }, 'stuck'],
    ['has not come back from an endless decode', { busySinceMs: -30_000, lastProgressMs: -20_000, slowestDecodeMs: 1e6 }, 'stuck'],
  ])('a child that %s', (_, signs, verdict) => {
    expect(judgeChild({ ...calm, ...signs }).kind).toBe(verdict)
  })
})

test('restarts come later after every failure in a row, at most 30 s apart, and then no more', () => {
  const delays = Array.from({ length: failuresMax }, (_, index) => planRestart(index + 1))
  expect(delays).toEqual([250, 500, 1000, 2000, null])
})
