import { type Clock, ShoalError } from '@shoal/core'
import type { Answer, Output } from '../dispatcher/job.ts'
import { type CompletionHead, createChunkRenderer, doneEvent, keepAliveComment, renderErrorEvent } from './completion-render.ts'
import { renderErrorBody, toClientError } from './error-body.ts'
import type { OpenSink } from './event-sink.ts'
import { createEventWriter } from './event-writer.ts'

export interface ChatStreamOptions {
  readonly clock: Clock
  /** Called once, when the model is known. */
  readonly head: (model: string) => CompletionHead
  readonly includeUsage: boolean
  /** Runs the request; its promise decides how the stream ends. */
  readonly run: (output: Output, signal: AbortSignal) => Promise<Answer>
  readonly open: OpenSink
  /** The client's connection. */
  readonly signal: AbortSignal
}

/** So long a failure still becomes an HTTP status of its own; afterwards the stream is open and a failure is its last event. */
const openAfterMs = 1000
const keepAliveMs = 1000

/**
 * An answer as server-sent events. Resolves with the response as soon as a node has accepted the request, or after a second of waiting; comments
 * follow every second while there is nothing to send. Rejects with what went wrong before. A failure later on is one `data:` line with an
 * error object and the end of the stream without `[DONE]`, which no client takes for a complete answer.
 */
export function openChatStream({ clock, head, includeUsage, run, open, signal }: ChatStreamOptions): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const stop = new AbortController()
  const onGone = () => stop.abort()
  signal.addEventListener('abort', onGone, { once: true })
  let overflow: ShoalError | null = null
  let chunks: ReturnType<typeof createChunkRenderer> | null = null
  let writer: ReturnType<typeof createEventWriter> | null = null
  const chunksOf = (model: string) => (chunks ??= createChunkRenderer(head(model), includeUsage))
  const onOverflow = () => {
    overflow = new ShoalError({ code: 'SLOW_READER', message: 'The answer was read too slowly.' })
    stop.abort()
  }
  const opened = () => {
    if (writer !== null) return writer
    writer = createEventWriter({ clock, open, render: (text) => chunks?.delta(text) ?? '', onGone, onOverflow })
    resolve(writer.response)
    return writer
  }
  const keepAlive = () => {
    const waitedMs = writer === null ? keepAliveMs : clock.nowMs() - writer.lastWriteMs()
    if (waitedMs >= keepAliveMs) opened().event(keepAliveComment)
    cancelKeepAlive = clock.after(waitedMs >= keepAliveMs ? keepAliveMs : keepAliveMs - waitedMs, keepAlive)
  }
  let cancelKeepAlive = clock.after(openAfterMs, keepAlive)
  const output: Output = {
    onAccepted({ modelId }) {
      if (chunks === null) opened().event(chunksOf(modelId).role())
    },
    onText: (text) => writer?.text(text),
  }
  run(output, stop.signal)
    .then(
      (answer) => {
        const { finish, usage } = chunksOf(answer.modelId)
        opened().end(finish(answer.finishReason) + (includeUsage ? usage(answer) : '') + doneEvent)
      },
      (thrown: unknown) => {
        if (writer === null) reject(thrown)
        else writer.end(renderErrorEvent(renderErrorBody(toClientError(overflow ?? thrown))))
      },
    )
    .finally(() => {
      cancelKeepAlive()
      signal.removeEventListener('abort', onGone)
    })
    .catch(reject)
  return promise
}
