import { ShoalError } from '@shoal/core'
import { protocolVersion } from '@shoal/protocol'
import type { GatewayPorts } from '../ports.ts'
import { sleep } from '../sleep.ts'
import { sizeBackOffMs } from './back-off.ts'
import { type Answer, findAddress } from './find-address.ts'

/** A machine that may run an agent, as discovery or a person names it. */
export interface NodeCandidate {
  /** Stable name of the candidate among all others. */
  readonly key: string
  /** `host:port`, best first. */
  readonly addresses: readonly string[]
  /** A person named it, and wants to hear when nobody is there. */
  readonly isNamed?: boolean
}

/** Keeps one candidate connected: finds an address that answers, holds the connection, and tries again after a loss. */
export interface NodeRunner {
  readonly candidate: NodeCandidate
  /** Settles after `stop`, or after `retire` when the connection has ended. */
  readonly done: Promise<void>
  /** Ends the pause before the next attempt. */
  wake(): void
  /** The addresses changed. */
  rename(candidate: NodeCandidate): void
  /** Does not look for it again once its connection has ended. */
  retire(): void
  stop(): void
}

export interface NodeRunnerOptions {
  readonly candidate: NodeCandidate
  readonly ports: Pick<GatewayPorts, 'clock' | 'log' | 'random' | 'connect'>
  /**
   * Takes a connection over until it ends. False = another candidate already leads to this node. The client is closed afterwards.
   */
  readonly hold: (answer: Answer, signal: AbortSignal) => Promise<boolean>
}

/** A second way to a node looks again so often, and at once when it is woken because the first one ended. */
const standbyMs = 30_000

export function startNodeRunner({ candidate: first, ports, hold }: NodeRunnerOptions): NodeRunner {
  const { clock, log, random, connect } = ports
  const stopped = new AbortController()
  let candidate = first
  let isRetired = false
  let failures = 0
  let namedMs = clock.nowMs()
  /** Why it did not work since it last did: each reason is told once, however they alternate. */
  const told = new Set<string>()
  let wake = () => {}

  /** Returns the pause before the next attempt. */
  const tryOnce = async (): Promise<number> => {
    try {
      const answer = await findAddress({ addresses: candidate.addresses, connect, clock, signal: stopped.signal })
      try {
        checkVersion(answer)
        const held = await hold(answer, stopped.signal)
        failures = 0
        told.clear()
        namedMs = clock.nowMs()
        if (!held) return standbyMs
      } finally {
        await answer.client[Symbol.asyncDispose]()
      }
    } catch (thrown) {
      const reason = ShoalError.from(thrown).message
      if (!told.has(reason) && !stopped.signal.aborted) {
        told.add(reason)
        const level = candidate.isNamed === true ? 'warn' : 'info'
        log[level]({ addresses: candidate.addresses, reason }, 'no agent to work with there; trying again')
      }
    }
    failures++
    return sizeBackOffMs({ failures, ageMs: clock.nowMs() - namedMs, random })
  }
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted && !isRetired) {
      const pauseMs = await tryOnce()
      if (isRetired) return
      const pause = new AbortController()
      wake = () => pause.abort()
      await sleep(clock, pauseMs, AbortSignal.any([pause.signal, stopped.signal]))
    }
  }
  return {
    get candidate() {
      return candidate
    },
    done: run(),
    wake: () => wake(),
    rename(next) {
      candidate = next
      namedMs = clock.nowMs()
      wake()
    },
    retire() {
      isRetired = true
      wake()
    },
    stop: () => stopped.abort(),
  }
}

function checkVersion({ address, description }: Answer): void {
  if (description.protocolVersion === protocolVersion) return
  throw new ShoalError({
    code: 'NODE_LOST',
    message: `The agent at ${address} speaks version ${description.protocolVersion} of the protocol (Shoal ${description.shoalVersion}), this gateway version ${protocolVersion}.`,
    remedy: 'Run the same version of Shoal on both machines.',
  })
}
