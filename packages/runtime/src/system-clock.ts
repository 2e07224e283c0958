import type { Clock } from '@shoal/core'

/** The machine's clock. Its timers keep the process alive until they run or are cancelled. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
