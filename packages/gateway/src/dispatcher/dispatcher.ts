import { type NodeId, type RequestId, ShoalError } from '@shoal/core'
import {
  createRoutingTable,
  nodeChangedEvent,
  type RoutingEffect,
  type RoutingEvent,
  type RoutingOptions,
  routingCounts,
  step,
} from '@shoal/planner'
import type { NodeRegistry } from '../nodes/node-registry.ts'
import type { GatewayPorts } from '../ports.ts'
import { type Attempt, startAttempt } from './attempt.ts'
import { type Answer, createJob, type Job, type Output, type Work } from './job.ts'
import { renderRejection } from './reject-error.ts'

export interface Dispatcher extends AsyncDisposable {
  /**
   * Runs one request to its end. Rejects with the error the client is to see: MODEL_UNKNOWN, NO_NODE, QUEUE_FULL, DEADLINE_EXCEEDED before
   * it ran, the node's own error or NODE_LOST afterwards, CANCELLED when the signal aborts.
   */
  run(work: Work, output: Output, signal: AbortSignal): Promise<Answer>
  counts(): { readonly waiting: number; readonly running: number }
  /** Takes no more requests (they get NODE_DRAINING); resolves when nothing waits or runs any more. */
  drain(): Promise<void>
}

export interface DispatcherOptions {
  readonly ports: Pick<GatewayPorts, 'clock' | 'log'>
  readonly nodes: Pick<NodeRegistry, 'view' | 'clientOf' | 'onChange'>
  readonly routing: RoutingOptions
}

type Effect<Kind extends RoutingEffect['kind']> = Extract<RoutingEffect, { kind: Kind }>

const tickMs = 1000

/**
 * Joins the routing table's decisions with the nodes: every event goes through `step`, every effect is carried out here and its outcome
 * comes back as an event. Nothing is awaited between reading the table and changing it.
 */
export function createDispatcher({ ports, nodes, routing }: DispatcherOptions): Dispatcher {
  const { clock, log } = ports
  const table = createRoutingTable(routing)
  /** Requests without an end yet, and attempts whose node has not let go yet: the latter may outlive the former. */
  const jobs = new Map<RequestId, Job>()
  const attempts = new Map<RequestId, Attempt>()
  const idle = createIdleSignal(() => jobs.size === 0 && attempts.size === 0)
  let cancelTick: (() => void) | null = null
  let closed = false

  const apply = (event: RoutingEvent): void => {
    for (const effect of step(table, event).effects) {
      if (effect.kind === 'dispatch') dispatch(effect)
      else reject(effect)
    }
    if (cancelTick === null && table.waitingCount > 0) cancelTick = clock.after(tickMs, tick)
    idle.check()
  }
  const tick = (): void => {
    cancelTick = null
    apply({ kind: 'tick', nowMs: clock.nowMs() })
  }
  const reject = ({ requestId, code, retryAfterMs }: Effect<'reject'>): void => {
    const job = jobs.get(requestId)
    jobs.delete(requestId)
    job?.fail(renderRejection({ code, retryAfterMs, model: job.work.model, lastError: job.lastError, view: nodes.view() }))
  }
  const dispatch = ({ requestId, nodeId, modelId, attempt: epoch }: Effect<'dispatch'>): void => {
    const ended = (outcome: Awaited<Attempt['outcome']>) => {
      attempts.delete(requestId)
      if (job === undefined || job.isOver()) jobs.delete(requestId)
      apply({ kind: 'attemptEnded', nowMs: clock.nowMs(), requestId, nodeId, outcome })
    }
    const job = jobs.get(requestId)
    if (job === undefined) {
      ended('failed')
      return
    }
    const client = nodes.clientOf(nodeId)
    const onAnswered = () => jobs.delete(requestId)
    const attempt = startAttempt({ job, nodeId, client, log, onAnswered, request: job.begin(epoch, modelId) })
    attempts.set(requestId, attempt)
    void attempt.outcome.then(ended)
  }
  const end = (job: Job, error: ShoalError): void => {
    const { requestId } = job.work
    jobs.delete(requestId)
    job.fail(error)
    attempts.get(requestId)?.stop(error)
    apply({ kind: 'cancelled', nowMs: clock.nowMs(), requestId })
  }
  const lose = (nodeId: NodeId): void => {
    apply({ kind: 'nodeLost', nowMs: clock.nowMs(), nodeId })
    const reason = new ShoalError({ code: 'NODE_LOST', message: 'The node that served this request is gone.' })
    for (const attempt of attempts.values()) if (attempt.nodeId === nodeId) attempt.stop(reason)
  }
  nodes.onChange((change) => {
    if (change.kind === 'lost') lose(change.nodeId)
    else apply(nodeChangedEvent(change.view, clock.nowMs()))
  })
  return {
    async run(work, output, signal) {
      if (closed) throw closing()
      if (signal.aborted) throw clientGone()
      const job = createJob(work, output)
      const onAbort = () => end(job, clientGone())
      signal.addEventListener('abort', onAbort, { once: true })
      jobs.set(work.requestId, job)
      try {
        apply({ kind: 'requested', nowMs: clock.nowMs(), requestId: work.requestId, model: work.model })
        return await job.result
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    counts() {
      const { waiting, running } = routingCounts(table)
      return { waiting, running }
    },
    drain() {
      closed = true
      return idle.wait()
    },
    [Symbol.asyncDispose]() {
      closed = true
      for (const job of [...jobs.values()]) end(job, closing())
      cancelTick?.()
      return Promise.resolve()
    },
  }
}

/** Lets many wait for the moment when nothing is left to do. */
function createIdleSignal(isIdle: () => boolean) {
  const waiters: (() => void)[] = []
  return {
    check() {
      if (waiters.length > 0 && isIdle()) for (const done of waiters.splice(0)) done()
    },
    wait: (): Promise<void> => (isIdle() ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  }
}

function clientGone(): ShoalError {
  return new ShoalError({ code: 'CANCELLED', message: 'The client went away.', remedy: '' })
}

function closing(): ShoalError {
  return new ShoalError({ code: 'NODE_DRAINING', message: 'The gateway is shutting down.' })
}
