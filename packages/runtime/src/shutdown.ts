import type { Clock, Log } from '@shoal/core'
import { systemClock } from './system-clock.ts'

export type ShutdownSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGBREAK'

/** The part of `process` this needs. */
export interface SignalSource {
  on(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
  off(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
  exit(code: number): void
}

export interface ShutdownOptions {
  readonly log: Log
  readonly signals?: readonly ShutdownSignal[]
  readonly source?: SignalSource
  readonly clock?: Clock
}

export interface Shutdown extends Disposable {
  /** Aborted by the first signal: stop taking work, finish what runs, then exit 0. */
  readonly signal: AbortSignal
  /** Begins the same without a signal, for example when a part has failed for good. */
  begin(reason: string): void
}

/** One Ctrl-C under `npm start` arrives two or three times: from the terminal's process group and from each parent that forwards it. */
const echoMs = 500

/**
 * First SIGINT or SIGTERM: drain. A second one, at least 500 ms later, exits with 130 at once, whatever still runs.
 * Disposing it gives the signals their usual meaning back.
 */
export function createShutdown({ log, signals = ['SIGINT', 'SIGTERM'], source = process, clock = systemClock }: ShutdownOptions): Shutdown {
  const controller = new AbortController()
  let firstMs = 0
  const begin = (reason: string) => {
    if (controller.signal.aborted) return
    firstMs = clock.nowMs()
    log.info({ reason }, 'shutting down; a second signal exits at once')
    controller.abort(new DOMException(reason, 'AbortError'))
  }
  const listener = (signal: ShutdownSignal) => {
    if (!controller.signal.aborted) return begin(signal)
    if (clock.nowMs() - firstMs < echoMs) return
    log.warn({ signal }, 'second signal: exiting without waiting')
    source.exit(130)
  }
  for (const signal of signals) source.on(signal, listener)
  return {
    signal: controller.signal,
    begin,
    [Symbol.dispose]() {
      for (const signal of signals) source.off(signal, listener)
    },
  }
}
