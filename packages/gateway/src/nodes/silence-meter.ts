/** How often a node reports at least; asked for when the state stream is opened. */
export const heartbeatMs = 250
/** How often silence is looked at. */
export const tickMs = 100
/** Bounds of the adaptive threshold after which a silent node gets no new work. */
const suspectMinMs = 1000
const suspectMaxMs = 1500
/** Silence after which a node is taken as lost. */
const lostMs = 2500
const gapsKept = 32

/**
 * - alive: reports arrive
 * - suspect: silent for longer than this node usually is
 * - lost: silent for too long
 */
export type Hearing = 'alive' | 'suspect' | 'lost'

export interface SilenceMeter {
  heard(): void
  /** `elapsedMs` since the previous tick. */
  tick(elapsedMs: number): Hearing
}

/**
 * Measures silence in ticks of our own clock: however late a tick is, it adds at most two ticks' length. So when this process was
 * busy or stopped, nobody is blamed for it, and what arrived meanwhile is read before the next tick counts.
 * Suspicion begins at clamp(3 x longest recent gap, 1 s, 1.5 s).
 */
export function createSilenceMeter(): SilenceMeter {
  const gaps: number[] = []
  let silentMs = 0
  return {
    heard() {
      gaps.push(silentMs)
      if (gaps.length > gapsKept) gaps.shift()
      silentMs = 0
    },
    tick(elapsedMs) {
      silentMs += Math.min(elapsedMs, 2 * tickMs)
      if (silentMs >= lostMs) return 'lost'
      const suspectMs = Math.min(suspectMaxMs, Math.max(suspectMinMs, 3 * Math.max(0, ...gaps)))
      return silentMs >= suspectMs ? 'suspect' : 'alive'
    },
  }
}
