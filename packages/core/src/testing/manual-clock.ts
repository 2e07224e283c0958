import type { Clock } from '../ports.ts'

export interface ManualClock extends Clock {
  /** Moves time on and runs what falls due, in order of due time. */
  advance(byMs: number): void
}

export function createManualClock(startMs = 0): ManualClock {
  let now = startMs
  let order = 0
  const timers = new Map<number, { dueMs: number; run: () => void }>()
  const nextDue = (untilMs: number) =>
    [...timers].filter(([, timer]) => timer.dueMs <= untilMs).sort((a, b) => a[1].dueMs - b[1].dueMs || a[0] - b[0])[0]
  return {
    nowMs: () => now,
    wallMs: () => now,
    after(delayMs, run) {
      const key = order++
      timers.set(key, { dueMs: now + Math.max(0, delayMs), run })
      return () => timers.delete(key)
    },
    advance(byMs) {
      const until = now + byMs
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        timers.delete(due[0])
        now = Math.max(now, due[1].dueMs)
        due[1].run()
      }
      now = until
    },
  }
}
