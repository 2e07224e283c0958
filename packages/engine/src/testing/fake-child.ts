import type { LoadedFacts } from '@shoal/core'
import type { Child, ChildHandlers, StartChild } from '../child-process.ts'
import type { FromChild, NativeProgress, ToChild } from '../messages.ts'

export interface FakeChild {
  readonly received: ToChild[]
  readonly handlers: ChildHandlers
  killed: boolean
  say(message: FromChild): void
  pulse(progress?: Partial<NativeProgress>): void
  /** Ends the process; `kill` alone leaves that to the test. */
  exit(signal?: string | null, lastWords?: string): void
}

export interface FakeChildren {
  readonly start: StartChild
  readonly all: FakeChild[]
  /** The child started last. */
  last(): FakeChild
}

export const fakeFacts: LoadedFacts = { contextTokens: 512, slots: 2, threads: 1, gpuLayers: 0, residentBytes: 1, vramBytes: 0, loadMs: 1 }

/** Children that do what the test tells them, in place of processes. */
export function createFakeChildren(): FakeChildren {
  const all: FakeChild[] = []
  const start = (handlers: ChildHandlers): Child => {
    const received: ToChild[] = []
    const fake: FakeChild = {
      received,
      handlers,
      killed: false,
      say: (message) => handlers.onMessage(message),
      pulse: (progress = {}) =>
        handlers.onMessage({ kind: 'pulse', progress: { completedDecodes: 0, runningDecodeAgeMs: null, slowestDecodeMs: 0, ...progress } }),
      exit: (signal = 'SIGKILL', lastWords = '') => handlers.onExit({ code: null, signal, lastWords }),
    }
    all.push(fake)
    return {
      pid: all.length,
      send: (message) => received.push(message),
      kill: () => {
        fake.killed = true
      },
      keepAlive: () => {},
    }
  }
  return {
    start,
    all,
    last() {
      const child = all.at(-1)
      if (child === undefined) throw new Error('no child was started')
      return child
    },
  }
}
