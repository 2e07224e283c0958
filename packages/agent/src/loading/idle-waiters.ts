import type { Clock } from '@shoal/core'

/** Waiting for work to end that others count. */
export interface IdleWaiters {
  /** A count may have changed. */
  check(): void
  /** Resolves with what is left when `count` is 0, the time has passed or the signal aborts. */
  wait(count: () => number, timeoutMs: number, signal: AbortSignal | null): Promise<number>
}

export function createIdleWaiters(clock: Clock): IdleWaiters {
  const checks = new Set<() => void>()
  return {
    check() {
      for (const each of [...checks]) each()
    },
    wait: (count, timeoutMs, signal) =>
      new Promise((resolve) => {
        const finish = () => {
          checks.delete(check)
          cancelTimer()
          signal?.removeEventListener('abort', finish)
          resolve(count())
        }
        const check = () => {
          if (count() === 0) finish()
        }
        const cancelTimer = clock.after(timeoutMs, finish)
        checks.add(check)
        signal?.addEventListener('abort', finish, { once: true })
        if (signal?.aborted === true) finish()
        else check()
      }),
  }
}
