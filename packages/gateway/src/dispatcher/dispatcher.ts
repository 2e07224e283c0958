import { type ModelId, type NodeId, type RequestId, ShoalError } from '@shoal/core'
import {
  type AttemptOutcome,
  createRoutingTable,
  nodeChangedEvent,
  type RoutingEffect,
  type RoutingEvent,
  type RoutingOptions,
  routingCounts,
  step,
} from '@shoal/planner'
import type { NodeRegistry, RegistryChange } from '../nodes/node-registry.ts'
import type { GatewayPorts } from '../ports.ts'
import { type Answer, brokenStream, createJob, type Job, type Output, type Work } from './job.ts'
import { renderRejection } from './reject-error.ts'

export interface Dispatcher extends AsyncDisposable {
  /**
   * Runs one request to its end. Rejects with the error the client is to see: MODEL_UNKNOWN, NO_NODE, QUEUE_FULL, DEADLINE_EXCEEDED before
   * it ran, the node's own error or NODE_LOST afterwards, CANCELLED when the signal aborts.
   */
  run(work: Work, output: Output, signal: AbortSignal): Promise<Answer>
  counts(): { readonly waiting: number; readonly running: number }
  /** Resolves when nothing waits or runs any more. */
  whenIdle(): Promise<void>
}

export interface DispatcherOptions {
  readonly ports: Pick<GatewayPorts, 'clock' | 'log'>
  readonly nodes: Pick<NodeRegistry, 'view' | 'clientOf' | 'onChange'>
  readonly routing: RoutingOptions
}

type DispatchEffect = Extract<RoutingEffect, { kind: 'dispatch' }>

interface Attempt {
  readonly nodeId: NodeId
  readonly modelId: ModelId
  readonly stop: AbortController
  /** Why we stopped it ourselves; null = we did not. */
  stopReason: ShoalError | null
}

const tickMs = 1000

/**
 * Joins the routing table's decisions with the nodes: every event goes through `step`, every effect is carried out here and its outcome
 * comes back as an event. Nothing is awaited between reading the table and changing it.
 */
export function createDispatcher({ ports, nodes, routing }: DispatcherOptions): Dispatcher {
  const { clock, log } = ports
  const table = createRoutingTable(routing)
  const jobs = new Map<RequestId, Job>()
  const attempts = new Map<RequestId, Attempt>()
  const idleWaiters: (() => void)[] = []
  let cancelTick: (() => void) | null = null
  let closed = false

  const apply = (event: RoutingEvent): void => {
    for (const effect of step(table, event).effects) {
      if (effect.kind === 'dispatch') void startAttempt(effect)
      else rejectJob(effect)
    }
    if (cancelTick === null && table.waitingCount > 0) cancelTick = clock.after(tickMs, tick)
    if (jobs.size === 0 && attempts.size === 0) for (const done of idleWaiters.splice(0)) done()
  }
  const tick = (): void => {
    cancelTick = null
    apply({ kind: 'tick', nowMs: clock.nowMs() })
  }
  const rejectJob = (effect: Extract<RoutingEffect, { kind: 'reject' }>): void => {
    const job = jobs.get(effect.requestId)
    if (job === undefined) return
    const { code, retryAfterMs } = effect
    end(job, renderRejection({ code, retryAfterMs, model: job.work.model, lastError: job.lastError, view: nodes.view() }))
  }
  /** `error` null: the answer was delivered. The attempt may live on for a moment; the table hears of its end separately. */
  const end = (job: Job, error: ShoalError | null): void => {
    jobs.delete(job.work.requestId)
    if (error !== null) job.fail(error)
  }
  const stopAttempt = (requestId: RequestId, reason: ShoalError): void => {
    const attempt = attempts.get(requestId)
    if (attempt === undefined || attempt.stopReason !== null) return
    attempt.stopReason = reason
    attempt.stop.abort()
  }
  const startAttempt = async (effect: DispatchEffect): Promise<void> => {
    const { requestId, nodeId, modelId } = effect
    const job = jobs.get(requestId)
    const attempt: Attempt = { nodeId, modelId, stop: new AbortController(), stopReason: null }
    attempts.set(requestId, attempt)
    const outcome = job === undefined ? 'failed' : await runAttempt(job, effect, attempt)
    attempts.delete(requestId)
    apply({ kind: 'attemptEnded', nowMs: clock.nowMs(), requestId, nodeId, outcome })
  }
  const runAttempt = async (
    job: Job,
    { requestId, nodeId, modelId, attempt: epoch }: DispatchEffect,
    attempt: Attempt,
  ): Promise<AttemptOutcome> => {
    const client = nodes.clientOf(nodeId)
    try {
      if (client === null) throw new ShoalError({ code: 'NODE_LOST', message: 'The node is gone.' })
      await client.generate(
        job.begin(epoch, modelId),
        (event) => {
          if (attempt.stopReason !== null) return
          const next = job.take(event)
          if (next.kind === 'running') return
          if (next.kind === 'broken') return stopAttempt(requestId, next.error)
          end(job, null)
          if (next.cancelAttempt) attempt.stop.abort()
        },
        attempt.stop.signal,
      )
      if (!job.isOver()) throw attempt.stopReason ?? brokenStream('ended its stream without an end mark')
      return 'finished'
    } catch (thrown) {
      return failedAttempt(job, attempt, ShoalError.from(thrown))
    }
  }
  const failedAttempt = (job: Job, attempt: Attempt, thrown: ShoalError): AttemptOutcome => {
    if (job.isOver()) return attempt.stopReason === null ? 'finished' : 'failed'
    const error = attempt.stopReason ?? thrown
    const { requestId } = job.work
    log.warn({ requestId, nodeId: attempt.nodeId, code: error.code, isFresh: job.isFresh(), err: error }, 'attempt failed')
    job.lastError = error
    if (job.isFresh() && error.row.retry === 'other-node') return refusals.has(error.code) ? 'refused' : 'failed-other-node'
    end(job, error)
    return 'failed'
  }
  nodes.onChange((change: RegistryChange) => {
    const nowMs = clock.nowMs()
    if (change.kind === 'changed') return apply(nodeChangedEvent(change.view, nowMs))
    apply({ kind: 'nodeLost', nowMs, nodeId: change.nodeId })
    const reason = new ShoalError({ code: 'NODE_LOST', message: 'The node that served this request is gone.' })
    for (const [requestId, attempt] of attempts) if (attempt.nodeId === change.nodeId) stopAttempt(requestId, reason)
  })
  return {
    async run(work, output, signal) {
      const { requestId } = work
      if (closed) throw closing()
      if (signal.aborted) throw clientGone()
      const job = createJob(work, output)
      const onAbort = () => {
        end(job, clientGone())
        stopAttempt(requestId, clientGone())
        apply({ kind: 'cancelled', nowMs: clock.nowMs(), requestId })
      }
      signal.addEventListener('abort', onAbort, { once: true })
      jobs.set(requestId, job)
      try {
        apply({ kind: 'requested', nowMs: clock.nowMs(), requestId, model: work.model })
        return await job.result
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    counts() {
      const { waiting, running } = routingCounts(table)
      return { waiting, running }
    },
    whenIdle: () => (jobs.size === 0 && attempts.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve))),
    [Symbol.asyncDispose]() {
      closed = true
      for (const job of [...jobs.values()]) {
        end(job, closing())
        stopAttempt(job.work.requestId, closing())
        apply({ kind: 'cancelled', nowMs: clock.nowMs(), requestId: job.work.requestId })
      }
      cancelTick?.()
      return Promise.resolve()
    },
  }
}

/** The node took no work: our view of it was old. */
const refusals: ReadonlySet<string> = new Set(['NODE_BUSY', 'NODE_DRAINING', 'MODEL_UNKNOWN'])

function clientGone(): ShoalError {
  return new ShoalError({ code: 'CANCELLED', message: 'The client went away.', remedy: '' })
}

function closing(): ShoalError {
  return new ShoalError({ code: 'NODE_DRAINING', message: 'The gateway is shutting down.' })
}
