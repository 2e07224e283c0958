/** When to give a child up and when to start the next: decisions only. */

export const tickMs = 250
/** No sign of the child's event loop for so long: it is stopped, spinning or gone. */
export const silenceFloorMs = 2000
/** On a machine so busy that signs come late, so many times the longest gap seen lately. */
const silenceFactor = 4
const silenceCeilingMs = 10_000
/** Until the model is loaded: libraries and drivers start up, and block the event loop while they do. */
const silenceLoadingMs = 60_000
/** Gaps that count as lately. */
export const gapsKept = 20
/** No decode completed for so long although there is work. */
const stuckFloorMs = 2500
/** The first decode after a long pause may have to read the weights from disk again. */
const stuckFloorColdMs = 30_000
const coldAfterMs = 60_000
/** A decode this many times slower than any of the last ones is no longer slow. */
const stuckFactor = 20
const stuckMaxMs = 120_000

export interface ChildSigns {
  readonly nowMs: number
  readonly isLoading: boolean
  /** Longest time between two of the last pulses. */
  readonly longestGapMs: number
  /** Last message of any kind. */
  readonly lastHeardMs: number
  /** When the work now outstanding began; null = there is none. */
  readonly busySinceMs: number | null
  /** How long there was no work before that. */
  readonly idleBeforeMs: number
  /** Last completed decode or event of a request. */
  readonly lastProgressMs: number
  readonly slowestDecodeMs: number
}

export type ChildVerdict = { readonly kind: 'fine' } | { readonly kind: 'silent' | 'stuck'; readonly forMs: number }

/** Pulses come from the child's event loop, which goes on turning while native code hangs: both signs are needed. */
export function judgeChild(signs: ChildSigns): ChildVerdict {
  const silentMs = signs.nowMs - signs.lastHeardMs
  const silenceMaxMs = Math.min(Math.max(silenceFloorMs, signs.longestGapMs * silenceFactor), silenceCeilingMs)
  if (silentMs >= (signs.isLoading ? silenceLoadingMs : silenceMaxMs)) return { kind: 'silent', forMs: silentMs }
  if (signs.busySinceMs === null) return { kind: 'fine' }
  const isCold = signs.idleBeforeMs >= coldAfterMs && signs.lastProgressMs <= signs.busySinceMs
  const floorMs = isCold ? stuckFloorColdMs : stuckFloorMs
  const boundMs = Math.min(Math.max(floorMs, signs.slowestDecodeMs * stuckFactor), stuckMaxMs)
  const stuckMs = signs.nowMs - Math.max(signs.lastProgressMs, signs.busySinceMs)
  return stuckMs >= boundMs ? { kind: 'stuck', forMs: stuckMs } : { kind: 'fine' }
}

/** After so many failures in a row a model is given up. */
export const failuresMax = 5
/** A child that lived so long counts as healthy: the next failure is a first one. */
export const healthyAfterMs = 60_000

/** Delay before the next start after the n-th failure in a row, 0.25 s doubling to 30 s; null = give up. */
export function planRestart(failures: number): number | null {
  return failures >= failuresMax ? null : Math.min(250 * 2 ** (failures - 1), 30_000)
}
