import { type InferenceRequest, type Log, type NodeApi, type NodeId, ShoalError } from '@shoal/core'
import type { AttemptOutcome } from '@shoal/planner'
import { brokenStream, type Job } from './job.ts'

/** One attempt at one job on one node. */
export interface Attempt {
  readonly nodeId: NodeId
  /** Never rejects. The job is resolved or rejected by then unless another node may try. */
  readonly outcome: Promise<AttemptOutcome>
  /** Cancels it; what arrives later is dropped, and the job gets `reason` as its error. */
  stop(reason: ShoalError): void
}

export interface AttemptOptions {
  readonly job: Job
  readonly nodeId: NodeId
  /** Null = the node went away between the decision and now. */
  readonly client: Pick<NodeApi, 'generate'> | null
  readonly request: InferenceRequest
  readonly log: Log
  /** The answer is complete, though the node may need a moment to hear of it. */
  readonly onAnswered: () => void
}

/** The node took no work, because our view of it was old: full, leaving, without the model, or with an engine that is being replaced. */
const refusals: ReadonlySet<string> = new Set(['NODE_BUSY', 'NODE_DRAINING', 'MODEL_UNKNOWN', 'ENGINE_UNAVAILABLE'])

export function startAttempt({ job, nodeId, client, request, log, onAnswered }: AttemptOptions): Attempt {
  const controller = new AbortController()
  let stopReason: ShoalError | null = null
  const stop = (reason: ShoalError) => {
    if (stopReason !== null) return
    stopReason = reason
    controller.abort()
  }
  const generate = async (): Promise<void> => {
    if (client === null) throw new ShoalError({ code: 'NODE_LOST', message: 'The node is gone.' })
    await client.generate(
      request,
      (event) => {
        if (stopReason !== null) return
        const next = job.take(event)
        if (next.kind === 'running') return
        if (next.kind === 'broken') return stop(next.error)
        onAnswered()
        if (next.cancelAttempt) controller.abort()
      },
      controller.signal,
    )
    if (!job.isOver()) throw brokenStream('ended its stream without an end mark')
  }
  const failed = (thrown: unknown): AttemptOutcome => {
    if (job.isOver()) return stopReason === null ? 'finished' : 'failed'
    const error = stopReason ?? ShoalError.from(thrown)
    // What the client did wrong is told to the client; the operator can do nothing about it.
    const level = error.row.http < 500 ? 'debug' : 'warn'
    log[level]({ requestId: request.requestId, nodeId, code: error.code, isFresh: job.isFresh(), err: error }, 'attempt failed')
    job.lastError = error
    if (job.isFresh() && error.row.retry === 'other-node') return refusals.has(error.code) ? 'refused' : 'failed-other-node'
    job.fail(error)
    return 'failed'
  }
  return { nodeId, outcome: generate().then(() => 'finished' as const, failed), stop }
}
