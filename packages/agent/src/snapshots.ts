import type { Clock, NodeState } from '@shoal/core'

/** Sends what the node is in now to everyone who watches it. */
export interface Snapshots {
  current(): NodeState
  /** Something in the state changed. */
  touch(): void
  /** As `NodeApi.watch`. */
  watch(options: { readonly heartbeatMs: number }, onState: (state: NodeState) => void, signal: AbortSignal): Promise<void>
  /** Every watch gets what it has not seen and resolves, and none starts any more: the node is leaving. */
  end(): void
}

/** A busy node changes thousands of times a second; a watcher is told at once and then this often. */
const gapMs = 50
const heartbeatMsMin = 100
const heartbeatMsMax = 60_000

export function createSnapshots(options: { readonly clock: Clock; readonly build: () => Omit<NodeState, 'version'> }): Snapshots {
  const { clock, build } = options
  const watchers = new Set<{ readonly onChange: () => void; readonly flush: () => void; readonly end: () => void }>()
  let version = 1
  let ended = false
  const current = () => ({ ...build(), version })

  return {
    current,
    touch() {
      version += 1
      for (const watcher of watchers) watcher.onChange()
    },
    watch({ heartbeatMs }, onState, signal) {
      if (ended || signal.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const everyMs = Math.min(Math.max(heartbeatMs, heartbeatMsMin), heartbeatMsMax)
        let sentMs = Number.NEGATIVE_INFINITY
        let sentVersion = 0
        let dueMs = Number.POSITIVE_INFINITY
        let cancelTimer = () => {}
        const end = () => {
          cancelTimer()
          watchers.delete(watcher)
          signal.removeEventListener('abort', end)
          resolve()
        }
        const schedule = (atMs: number) => {
          if (atMs >= dueMs) return
          cancelTimer()
          dueMs = atMs
          cancelTimer = clock.after(Math.max(0, atMs - clock.nowMs()), send)
        }
        const send = () => {
          sentMs = clock.nowMs()
          dueMs = Number.POSITIVE_INFINITY
          sentVersion = version
          onState(current())
          // `onState` may have ended this watch.
          if (watchers.has(watcher)) schedule(sentMs + everyMs)
        }
        const flush = () => {
          if (sentVersion !== version) onState(current())
        }
        const watcher = { onChange: () => schedule(sentMs + gapMs), flush, end }
        watchers.add(watcher)
        signal.addEventListener('abort', end, { once: true })
        send()
      })
    },
    end() {
      ended = true
      for (const watcher of [...watchers]) {
        watcher.flush()
        watcher.end()
      }
    },
  }
}
