import { type ClusterView, type NodeId, type NodeView, ShoalError } from '@shoal/core'
import type { GatewayPorts, NodeClient } from '../ports.ts'
import type { Answer } from './find-address.ts'
import { type NodeCandidate, type NodeRunner, startNodeRunner } from './node-runner.ts'
import { createNodeSession, type NodeSession } from './node-session.ts'
import { tickMs } from './silence-meter.ts'

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

/**
 * Keeps one connection per node. Each candidate has a runner; two candidates that turn out to be one node share the first connection,
 * and the other stands by. Liveness comes from the report stream only.
 */
export function createNodeRegistry(ports: Pick<GatewayPorts, 'clock' | 'log' | 'random' | 'connect'>): NodeRegistry {
  const { log } = ports
  const runners = new Map<string, NodeRunner>()
  /** What discovery forgets may still be connected; the report stream alone decides when it is gone. */
  const retired = new Set<NodeRunner>()
  const sessions = new Map<NodeId, NodeSession>()
  const listeners: ((change: RegistryChange) => void)[] = []
  let view: ClusterView | null = null
  const tell = (change: RegistryChange) => {
    view = null
    for (const listener of listeners) listener(change)
  }
  const hold = async (answer: Answer, signal: AbortSignal): Promise<boolean> => {
    const { address, description } = answer
    const { nodeId } = description
    if (sessions.has(nodeId)) return false
    const session = createNodeSession(answer, (next) => tell({ kind: 'changed', view: next }))
    sessions.set(nodeId, session)
    log.info({ nodeId, address, hostname: description.profile.hostname }, 'node connected')
    try {
      await session.run(signal)
      log.info({ nodeId, address }, 'node left')
    } catch (thrown) {
      if (!signal.aborted) log.warn({ nodeId, address, reason: ShoalError.from(thrown).message }, 'node lost')
    } finally {
      sessions.delete(nodeId)
      tell({ kind: 'lost', nodeId })
      for (const runner of runners.values()) runner.wake()
    }
    return true
  }
  const retire = (key: string, runner: NodeRunner) => {
    runners.delete(key)
    retired.add(runner)
    runner.retire()
    void runner.done.then(() => retired.delete(runner))
  }
  const stopTicks = startTicks(ports.clock, (elapsedMs) => {
    for (const session of sessions.values()) session.tick(elapsedMs)
  })
  return {
    view: () => (view ??= { nodes: [...sessions.values()].flatMap((session) => session.view() ?? []) }),
    clientOf: (nodeId) => sessions.get(nodeId)?.client ?? null,
    onChange: (listener) => listeners.push(listener),
    setCandidates(candidates) {
      const wanted = new Map(candidates.map((candidate) => [candidate.key, candidate]))
      for (const [key, runner] of runners) if (!wanted.has(key)) retire(key, runner)
      for (const candidate of wanted.values()) {
        const runner = runners.get(candidate.key)
        if (runner === undefined) runners.set(candidate.key, startNodeRunner({ candidate, ports, hold }))
        else if (runner.candidate.addresses.join() !== candidate.addresses.join()) runner.rename(candidate)
      }
    },
    async [Symbol.asyncDispose]() {
      stopTicks()
      const all = [...runners.values(), ...retired]
      runners.clear()
      for (const runner of all) runner.stop()
      await Promise.all(all.map((runner) => runner.done))
    },
  }
}

/** Calls `run` every `tickMs` with the time that really passed. */
function startTicks(clock: GatewayPorts['clock'], run: (elapsedMs: number) => void): () => void {
  let lastMs = clock.nowMs()
  let cancel = () => {}
  const tick = () => {
    const nowMs = clock.nowMs()
    run(nowMs - lastMs)
    lastMs = nowMs
    cancel = clock.after(tickMs, tick)
  }
  tick()
  return () => cancel()
}
