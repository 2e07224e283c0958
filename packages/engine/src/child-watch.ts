import type { NativeProgress } from './messages.ts'
import { type ChildVerdict, gapsKept, judgeChild, tickMs } from './supervision.ts'

export interface ChildWatch {
  /** The last pulse: what the native code is doing. */
  readonly progress: NativeProgress
  /** Any message came. */
  heard(nowMs: number): void
  pulsed(nowMs: number, progress: NativeProgress): void
  /** A request made progress. */
  progressed(nowMs: number): void
  loaded(nowMs: number): void
  /** There is work now, or none any more. */
  busy(nowMs: number, isBusy: boolean): void
  /** To be called every `tickMs`. */
  judge(nowMs: number): ChildVerdict
}

/** Remembers the signs of life of one child, in the time of its parent. */
export function createChildWatch(startMs: number): ChildWatch {
  let progress: NativeProgress = { completedDecodes: 0, runningDecodeAgeMs: null, slowestDecodeMs: 0 }
  let isLoading = true
  let lastJudgedMs = startMs
  let lastHeardMs = startMs
  let lastPulseMs = startMs
  let lastProgressMs = startMs
  let busySinceMs: number | null = null
  let idleSinceMs = startMs
  let idleBeforeMs = 0
  let gapsMs: number[] = []

  return {
    get progress() {
      return progress
    },
    heard(nowMs) {
      lastHeardMs = nowMs
    },
    pulsed(nowMs, next) {
      gapsMs = [...gapsMs, nowMs - lastPulseMs].slice(-gapsKept)
      lastPulseMs = nowMs
      if (next.completedDecodes !== progress.completedDecodes) lastProgressMs = nowMs
      progress = next
    },
    progressed(nowMs) {
      lastProgressMs = nowMs
    },
    loaded(nowMs) {
      isLoading = false
      // Loading blocks the event loop; its gaps say nothing about serving.
      gapsMs = []
      lastPulseMs = nowMs
    },
    busy(nowMs, isBusy) {
      if (isBusy && busySinceMs === null) {
        busySinceMs = nowMs
        idleBeforeMs = nowMs - idleSinceMs
      } else if (!isBusy && busySinceMs !== null) {
        busySinceMs = null
        idleSinceMs = nowMs
      }
    },
    judge(nowMs) {
      const lateMs = nowMs - lastJudgedMs - tickMs
      lastJudgedMs = nowMs
      // When our own loop was late (or the machine slept), what the child said lies unread: give it the lost time back.
      if (lateMs > tickMs) {
        lastHeardMs += lateMs
        lastProgressMs += lateMs
        if (busySinceMs !== null) busySinceMs += lateMs
      }
      const { slowestDecodeMs } = progress
      const longestGapMs = Math.max(0, ...gapsMs)
      return judgeChild({ nowMs, isLoading, longestGapMs, lastHeardMs, busySinceMs, idleBeforeMs, lastProgressMs, slowestDecodeMs })
    },
  }
}
