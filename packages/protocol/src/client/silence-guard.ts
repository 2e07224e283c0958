import type { Keepalive } from '../channel-options.ts'

export interface SilenceGuardOptions extends Keepalive {
  /** Asks the peer for a sign of life. */
  readonly ping: () => void
  readonly onSilent: () => void
  /** Whether anything is expected from the peer; the guard sleeps when not. */
  readonly isNeeded: () => boolean
}

export interface SilenceGuard {
  /** A sign of life came. */
  heard(): void
  /** Something is expected from now on. */
  wake(): void
  stop(): void
}

/**
 * Notices a peer that froze or fell off the network while its connection looks whole: pings after `timeMs` of silence, and calls
 * `onSilent` after `timeoutMs` more. gRPC's own keepalive is not used because it trusts its timers: when this process is late by
 * more than the limit it cuts a healthy connection whose answer lies unread. Here silence is counted in ticks with a look at the sockets
 * between any two, so that being late counts as one tick however long it lasts.
 */
export function createSilenceGuard(options: SilenceGuardOptions): SilenceGuard {
  const { timeMs, ping, onSilent, isNeeded } = options
  const silentTicksMax = 1 + Math.ceil(options.timeoutMs / timeMs)
  let silentTicks = 0
  let timer: NodeJS.Timeout | null = null
  let isStopped = false

  const arm = () => {
    if (isStopped) return
    timer = setTimeout(tick, timeMs)
    timer.unref()
  }
  const tick = () => {
    if (isStopped || !isNeeded()) {
      timer = null
      return
    }
    silentTicks += 1
    if (silentTicks === 2) ping()
    if (silentTicks > silentTicksMax) {
      silentTicks = 0
      onSilent()
    }
    // The immediate runs after the sockets were looked at.
    setImmediate(arm)
  }

  return {
    heard() {
      silentTicks = 0
    },
    wake() {
      if (timer !== null || isStopped) return
      silentTicks = 0
      arm()
    },
    stop() {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
