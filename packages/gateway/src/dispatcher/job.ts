import {
  type ChatMessage,
  type FinishReason,
  type GenerateEvent,
  type InferenceRequest,
  type ModelId,
  type RequestId,
  type Sampling,
  ShoalError,
} from '@shoal/core'
import type { WantedModel } from '@shoal/planner'
import { createStopMatcher } from './stop-matcher.ts'
import { createTokenLog } from './token-log.ts'

/** One validated request for an answer. */
export interface Work {
  readonly requestId: RequestId
  readonly model: WantedModel
  readonly messages: readonly ChatMessage[]
  readonly sampling: Sampling
  readonly tokensMax: number | null
  readonly thinking: boolean
  readonly stops: readonly string[]
}

export interface AcceptedFacts {
  readonly modelId: ModelId
  readonly promptTokens: number
  readonly cachedTokens: number
}

/** Who receives an answer. */
export interface Output {
  /** A node has begun; always before text, and again when the first one failed before any. */
  onAccepted(facts: AcceptedFacts): void
  onText(text: string): void
}

export interface Answer extends AcceptedFacts {
  readonly finishReason: FinishReason
  readonly completionTokens: number
}

/**
 * What an event of the running attempt means for it.
 * - ended: the answer is complete; `cancelAttempt` when the node does not know yet (a stop string was found here)
 * - broken: the node's stream cannot be trusted any more
 */
export type JobStep =
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly cancelAttempt: boolean }
  | { readonly kind: 'broken'; readonly error: ShoalError }

/** One request from admission to its one end: it is resolved or rejected exactly once. */
export interface Job {
  readonly work: Work
  readonly result: Promise<Answer>
  /** Nothing of the answer was taken yet: another node may still start from the beginning. */
  isFresh(): boolean
  isOver(): boolean
  /** Why the last attempt failed. */
  lastError: ShoalError | null
  begin(attempt: number, modelId: ModelId): InferenceRequest
  take(event: GenerateEvent): JobStep
  fail(error: ShoalError): void
}

const running: JobStep = { kind: 'running' }

export function createJob(work: Work, output: Output): Job {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const log = createTokenLog()
  const matcher = createStopMatcher(work.stops)
  const base = {
    requestId: work.requestId,
    messages: work.messages,
    sampling: work.sampling,
    tokensMax: work.tokensMax,
    thinking: work.thinking,
  }
  let facts: AcceptedFacts | null = null
  let modelId: ModelId | null = null
  let over = false
  const finish = (finishReason: FinishReason): void => {
    if (modelId === null) return
    over = true
    resolve({ modelId, promptTokens: 0, cachedTokens: 0, ...facts, finishReason, completionTokens: log.tokenIds.length })
  }
  const accept = (promptTokens: number, cachedTokens: number): void => {
    if (modelId === null) return
    facts = { modelId, promptTokens, cachedTokens }
    output.onAccepted(facts)
  }
  const takeTokens = (event: Extract<GenerateEvent, { kind: 'tokens' }>): JobStep => {
    const verdict = log.append(event)
    if (verdict === 'stale') return running
    if (facts === null) accept(0, 0)
    if (verdict === 'gap') return { kind: 'broken', error: brokenStream('left tokens out') }
    const { text, stopped } = matcher.push(event.text)
    if (text !== '') output.onText(text)
    if (!stopped) return running
    finish('stop')
    return { kind: 'ended', cancelAttempt: true }
  }
  return {
    work,
    result: promise,
    lastError: null,
    isFresh: () => log.tokenIds.length === 0,
    isOver: () => over,
    begin(attempt, chosen) {
      log.begin(attempt)
      modelId = chosen
      return { ...base, modelId: chosen, epoch: attempt }
    },
    take(event) {
      if (over) return running
      switch (event.kind) {
        case 'accepted':
          accept(event.promptTokens, event.cachedTokens)
          return running
        case 'tokens':
          return takeTokens(event)
        case 'heartbeat':
          return running
        case 'finished': {
          const rest = matcher.flush()
          if (rest !== '') output.onText(rest)
          finish(event.reason)
          return { kind: 'ended', cancelAttempt: false }
        }
      }
    },
    fail(error) {
      if (over) return
      over = true
      reject(error)
    },
  }
}

export function brokenStream(what: string): ShoalError {
  return new ShoalError({ code: 'NODE_LOST', message: `The node ${what}; the answer cannot be continued.` })
}
