import { type Clock, type Deployment, type Log, type NodeId, type NodeModelState, ShoalError } from '@shoal/core'
import type { NodeClient } from '../ports.ts'
import { outcomeDifference, shapeDifference, type WishedShape } from './replica-shape.ts'

/** Keeps one node holding one model: loads it when it is missing, and tries again after failures. */
export interface ReplicaLoad {
  readonly nodeId: NodeId
  /** Why the last load failed; null while none has. */
  error(): string | null
  isLoading(): boolean
  /** A load failed, and the pause before the next try is not over. */
  isResting(): boolean
  /** Starts a load when the node's own report says that one is needed, or is of another shape, and the back-off is over. */
  ensure(client: NodeClient, reported: NodeModelState | null): void
  /** True when the loaded model has the context and the slots that are wished for. */
  isAsWished(loaded: NodeModelState): boolean
  /** The wish was spoken again: tries at once what failed. `isOtherShape` = a running load is not what is wanted any more. */
  renew(isOtherShape: boolean): void
  /** Stops waiting for a running load; the node's part of it goes on until the model is unloaded. */
  abandon(): void
}

export interface ReplicaLoadOptions {
  readonly nodeId: NodeId
  readonly deployment: () => Deployment
  readonly contextTokensTrained: () => number | null
  readonly clock: Clock
  readonly log: Log
  readonly onChange: () => void
}

const backOffFirstMs = 2000
const backOffMaxMs = 5 * 60_000

/** Pause after the nth failure in a row: 2 s, doubling, at most 5 minutes. */
export const sizeLoadBackOffMs = (failures: number): number => Math.min(backOffMaxMs, backOffFirstMs * 2 ** Math.min(20, failures - 1))

/**
 * - join: load it, or join the load that is on its way there
 * - reshape: the same, but a node that has it in another shape is to unload it first; requests that run there end before
 * - replace: unload what is there or on its way, then load
 */
type LoadKind = 'join' | 'reshape' | 'replace'

export function createReplicaLoad(options: ReplicaLoadOptions): ReplicaLoad {
  const { nodeId, deployment, contextTokensTrained, clock, log, onChange } = options
  let running: AbortController | null = null
  let failures = 0
  let notBeforeMs = Number.NEGATIVE_INFINITY
  let error: string | null = null
  let mustReplace = false
  /** A shape that the node gave in answer to this very wish. */
  let accepted = ''
  const succeeded = () => {
    failures = 0
    error = null
    notBeforeMs = Number.NEGATIVE_INFINITY
  }
  const accept = (state: NodeModelState) => {
    const difference = outcomeDifference(deployment(), state, contextTokensTrained())
    if (difference !== null) throw new ShoalError({ code: 'LOAD_FAILED', message: `The node loaded it with ${difference}.` })
    accepted = keyOf(deployment(), state)
    succeeded()
  }
  const load = async (client: NodeClient, kind: LoadKind): Promise<void> => {
    const stop = new AbortController()
    running = stop
    const { modelId, source, contextTokens, slots } = deployment()
    const unload = () => client.unloadModel(modelId, stop.signal).catch(ignoreUnknown)
    const join = () => {
      stop.signal.throwIfAborted()
      return client.loadModel({ modelId, source, contextTokens, slots }, () => {}, stop.signal)
    }
    try {
      if (kind === 'replace') await unload()
      mustReplace = false
      const state = await join().catch(async (thrown: unknown) => {
        if (kind !== 'reshape' || ShoalError.from(thrown).code !== 'INVALID_REQUEST') throw thrown
        log.info({ nodeId, modelId, contextTokens, slots }, 'a loaded model is unloaded to be loaded in another shape')
        await unload()
        return await join()
      })
      if (!stop.signal.aborted) accept(state)
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
  const isAsWished = (loaded: NodeModelState) =>
    keyOf(deployment(), loaded) === accepted || shapeDifference(deployment(), loaded, contextTokensTrained()) === null
  return {
    nodeId,
    error: () => error,
    isLoading: () => running !== null,
    isResting: () => clock.nowMs() < notBeforeMs,
    isAsWished,
    ensure(client, reported) {
      if (running !== null) return
      const isReady = reported?.status === 'ready'
      if (isReady && isAsWished(reported)) {
        mustReplace = false
        succeeded()
        return
      }
      const isOnItsWay = reported !== null && reported.status !== 'failed' && !isReady
      if ((isOnItsWay && !mustReplace) || clock.nowMs() < notBeforeMs) return
      void load(client, mustReplace ? 'replace' : isReady ? 'reshape' : 'join')
    },
    renew(isOtherShape) {
      succeeded()
      if (!isOtherShape || running === null) return
      mustReplace = true
      running.abort()
    },
    abandon: () => running?.abort(),
  }
}

const keyOf = (wished: WishedShape, loaded: NodeModelState): string =>
  [wished.contextTokens, wished.slots, loaded.contextTokens, loaded.slotsTotal].join()

function ignoreUnknown(thrown: unknown): void {
  if (ShoalError.from(thrown).code !== 'MODEL_UNKNOWN') throw thrown
}
