import { type Clock, type Deployment, type Log, type NodeId, type NodeModelState, ShoalError } from '@shoal/core'
import type { NodeClient } from '../ports.ts'

/** Keeps one node holding one model: loads it when it is missing, and tries again after failures. */
export interface ReplicaLoad {
  readonly nodeId: NodeId
  /** Why the last load failed; null while none has. */
  error(): string | null
  isLoading(): boolean
  /** A load failed, and the pause before the next try is not over. */
  isResting(): boolean
  /** Starts a load when the node's own report says that one is needed and the back-off is over. */
  ensure(client: NodeClient, reported: NodeModelState | null): void
  /** Stops waiting for a running load; the node's part of it goes on until the model is unloaded. */
  abandon(): void
}

export interface ReplicaLoadOptions {
  readonly nodeId: NodeId
  readonly deployment: () => Deployment
  readonly clock: Clock
  readonly log: Log
  readonly onChange: () => void
}

const backOffFirstMs = 2000
const backOffMaxMs = 5 * 60_000

/** Pause after the nth failure in a row: 2 s, doubling, at most 5 minutes. */
export const sizeLoadBackOffMs = (failures: number): number => Math.min(backOffMaxMs, backOffFirstMs * 2 ** Math.min(20, failures - 1))

export function createReplicaLoad({ nodeId, deployment, clock, log, onChange }: ReplicaLoadOptions): ReplicaLoad {
  let running: AbortController | null = null
  let failures = 0
  let notBeforeMs = Number.NEGATIVE_INFINITY
  let error: string | null = null
  const succeeded = () => {
    failures = 0
    error = null
    notBeforeMs = Number.NEGATIVE_INFINITY
  }
  const load = async (client: NodeClient): Promise<void> => {
    const stop = new AbortController()
    running = stop
    const { modelId, source, contextTokens, slots } = deployment()
    try {
      await client.loadModel({ modelId, source, contextTokens, slots }, () => {}, stop.signal)
      succeeded()
    } catch (thrown) {
      if (stop.signal.aborted) return
      const failure = ShoalError.from(thrown)
      failures++
      notBeforeMs = clock.nowMs() + sizeLoadBackOffMs(failures)
      error = failure.remedy === '' ? failure.message : `${failure.message} ${failure.remedy}`
      log.warn({ nodeId, modelId, code: failure.code, reason: failure.message, failures }, 'loading failed on a node; trying again later')
    } finally {
      if (running === stop) running = null
      onChange()
    }
  }
  return {
    nodeId,
    error: () => error,
    isLoading: () => running !== null,
    isResting: () => clock.nowMs() < notBeforeMs,
    ensure(client, reported) {
      if (reported?.status === 'ready') {
        succeeded()
        return
      }
      const isOnItsWay = reported !== null && reported.status !== 'failed'
      if (running !== null || isOnItsWay || clock.nowMs() < notBeforeMs) return
      void load(client)
    },
    abandon: () => running?.abort(),
  }
}
