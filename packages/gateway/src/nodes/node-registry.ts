import { type ClusterView, type NodeId, type NodeView, ShoalError } from '@shoal/core'
import { protocolVersion } from '@shoal/protocol'
import type { GatewayPorts, NodeClient } from '../ports.ts'
import { sleep } from '../sleep.ts'
import { sizeBackOffMs } from './back-off.ts'
import { type Answer, findAddress } from './find-address.ts'
import { createNodeSession, type NodeSession } from './node-session.ts'
import { tickMs } from './silence-meter.ts'

/** A machine that may run an agent, as discovery or a person names it. */
export interface NodeCandidate {
  /** Stable name of the candidate among all others. */
  readonly key: string
  /** `host:port`, best first. */
  readonly addresses: readonly string[]
}

/**
 * - changed: a first or newer report, or a change of liveness
 * - lost: the node is out of the view; calls that still run on its client are ending
 */
export type RegistryChange = { readonly kind: 'changed'; readonly view: NodeView } | { readonly kind: 'lost'; readonly nodeId: NodeId }

/** Everything known of the nodes, from their own reports. */
export interface NodeRegistry extends AsyncDisposable {
  view(): ClusterView
  clientOf(nodeId: NodeId): NodeClient | null
  /** Called after every change of the view. */
  onChange(listener: (change: RegistryChange) => void): void
  /** The whole list; candidates that are no longer in it are let go once their connection ends. */
  setCandidates(candidates: readonly NodeCandidate[]): void
}

/** A second way to a node looks again so often, and at once when the first one ends. */
const standbyMs = 30_000

type RegistryPorts = Pick<GatewayPorts, 'clock' | 'log' | 'random' | 'connect'>

interface Runner {
  candidate: NodeCandidate
  /** Ends the pause before the next attempt. */
  wake: () => void
  namedMs: number
  readonly stop: AbortController
  done: Promise<void>
}

/**
 * Keeps one connection per node. Each candidate has a runner: find an address that answers, read reports, and after a loss try again. Two
 * candidates that turn out to be one node share the first connection; the other stands by. Liveness comes from the report stream only.
 */
export function createNodeRegistry(ports: RegistryPorts): NodeRegistry {
  const { clock, log } = ports
  const runners = new Map<string, Runner>()
  const sessions = new Map<NodeId, NodeSession>()
  const listeners: ((change: RegistryChange) => void)[] = []
  /** Runners whose candidate is no longer named. */
  const ending = new Set<Promise<void>>()
  let view: ClusterView | null = null
  const tell = (change: RegistryChange) => {
    view = null
    for (const listener of listeners) listener(change)
  }
  const runOnce = async (runner: Runner): Promise<boolean> => {
    const answer = await findAddress({ ...ports, addresses: runner.candidate.addresses, signal: runner.stop.signal })
    try {
      return await holdSession(runner, answer)
    } finally {
      await answer.client[Symbol.asyncDispose]()
    }
  }
  /** False = another candidate already leads to this node. */
  const holdSession = async (runner: Runner, answer: Answer): Promise<boolean> => {
    const { nodeId } = answer.description
    if (sessions.has(nodeId)) return false
    checkVersion(answer)
    const session = createNodeSession(answer, (next) => tell({ kind: 'changed', view: next }))
    sessions.set(nodeId, session)
    log.info({ nodeId, address: answer.address, hostname: answer.description.profile.hostname }, 'node connected')
    try {
      await session.run(runner.stop.signal)
      log.info({ nodeId, address: answer.address }, 'node left')
    } catch (thrown) {
      if (!runner.stop.signal.aborted) log.warn({ nodeId, address: answer.address, reason: reasonOf(thrown) }, 'node lost')
    } finally {
      sessions.delete(nodeId)
      tell({ kind: 'lost', nodeId })
      for (const other of runners.values()) if (other !== runner) other.wake()
    }
    return true
  }
  const run = async (runner: Runner): Promise<void> => {
    let failures = 0
    let lastReason = ''
    while (!runner.stop.signal.aborted) {
      let isStandby = false
      try {
        isStandby = !(await runOnce(runner))
        failures = 0
        runner.namedMs = clock.nowMs()
      } catch (thrown) {
        const reason = reasonOf(thrown)
        if (reason !== lastReason) log.info({ addresses: runner.candidate.addresses, reason }, 'node cannot be reached; trying again')
        lastReason = reason
      }
      if (!runners.has(runner.candidate.key)) return
      failures++
      const pause = new AbortController()
      runner.wake = () => pause.abort()
      const delayMs = isStandby ? standbyMs : sizeBackOffMs({ failures, ageMs: clock.nowMs() - runner.namedMs, random: ports.random })
      await sleep(clock, delayMs, AbortSignal.any([pause.signal, runner.stop.signal]))
    }
  }
  const start = (candidate: NodeCandidate) => {
    const runner: Runner = { candidate, wake: () => {}, namedMs: clock.nowMs(), stop: new AbortController(), done: Promise.resolve() }
    runners.set(candidate.key, runner)
    runner.done = run(runner)
  }
  let lastTickMs = clock.nowMs()
  let cancelTick = () => {}
  const tick = () => {
    const nowMs = clock.nowMs()
    for (const session of sessions.values()) session.tick(nowMs - lastTickMs)
    lastTickMs = nowMs
    cancelTick = clock.after(tickMs, tick)
  }
  tick()
  return {
    view: () => (view ??= { nodes: [...sessions.values()].flatMap((session) => session.view ?? []) }),
    clientOf: (nodeId) => sessions.get(nodeId)?.client ?? null,
    onChange: (listener) => listeners.push(listener),
    setCandidates(candidates) {
      const wanted = new Map(candidates.map((candidate) => [candidate.key, candidate]))
      for (const [key, runner] of runners) {
        if (wanted.has(key)) continue
        // What discovery forgets may still be connected; the report stream alone decides when it is gone.
        runners.delete(key)
        runner.wake()
        ending.add(runner.done)
        void runner.done.then(() => ending.delete(runner.done))
      }
      for (const candidate of wanted.values()) {
        const runner = runners.get(candidate.key)
        if (runner === undefined) start(candidate)
        else if (!sameAddresses(runner.candidate, candidate)) {
          runner.candidate = candidate
          runner.namedMs = clock.nowMs()
          runner.wake()
        }
      }
    },
    async [Symbol.asyncDispose]() {
      cancelTick()
      const all = [...runners.values()]
      runners.clear()
      for (const runner of all) runner.stop.abort()
      await Promise.all([...ending, ...all.map((runner) => runner.done)])
    },
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

function sameAddresses(a: NodeCandidate, b: NodeCandidate): boolean {
  return a.addresses.join() === b.addresses.join()
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
