import type { Clock } from '@shoal/core'
import { ShoalError } from '@shoal/core'
import type { Answer, Output } from '../dispatcher/job.ts'
import { type CompletionHead, createChunkRenderer, doneEvent, keepAliveComment, renderErrorEvent } from './completion-render.ts'
import { renderErrorBody, toClientError } from './error-body.ts'
import { createSseStream } from './sse-stream.ts'

export interface ChatStreamOptions {
  readonly clock: Clock
  /** Called once, when the model is known. */
  readonly head: (model: string) => CompletionHead
  readonly includeUsage: boolean
  /** Runs the request; its promise decides how the stream ends. */
  readonly run: (output: Output, signal: AbortSignal) => Promise<Answer>
  /** The client's connection. */
  readonly signal: AbortSignal
}

/** So long a failure still becomes an HTTP status of its own; afterwards the stream is open and a failure is its last event. */
const openAfterMs = 1000
const keepAliveMs = 1000

/**
 * An answer as server-sent events. Resolves with the body as soon as a node has accepted the request, or after a second of waiting, with
 * comments every second while there is nothing to send. Rejects with what went wrong before. A failure later on is one `data:` line with an
 * error object and the end of the stream without `[DONE]`, which no client takes for a complete answer.
 */
export function openChatStream({ clock, head, includeUsage, run, signal }: ChatStreamOptions): Promise<ReadableStream<Uint8Array>> {
  const { promise, resolve, reject } = Promise.withResolvers<ReadableStream<Uint8Array>>()
  const stop = new AbortController()
  const onAbort = () => stop.abort()
  signal.addEventListener('abort', onAbort, { once: true })
  let failure: ShoalError | null = null
  let opened = false
  let render: ReturnType<typeof createChunkRenderer> | null = null
  const renderer = (model: string) => (render ??= createChunkRenderer(head(model), includeUsage))
  const stream = createSseStream({
    clock,
    render: (text) => render?.delta(text) ?? '',
    onGone: onAbort,
    onOverflow() {
      failure = new ShoalError({ code: 'SLOW_READER', message: 'The answer was read too slowly.' })
      onAbort()
    },
  })
  const open = () => {
    opened = true
    resolve(stream.body)
  }
  const keepAlive = () => {
    const idleMs = clock.nowMs() - stream.lastWriteMs
    if (idleMs >= keepAliveMs) {
      stream.event(keepAliveComment)
      if (!opened) open()
    }
    cancelKeepAlive = clock.after(idleMs >= keepAliveMs ? keepAliveMs : keepAliveMs - idleMs, keepAlive)
  }
  let cancelKeepAlive = clock.after(openAfterMs, keepAlive)
  const output: Output = {
    onAccepted({ modelId }) {
      if (render !== null) return
      stream.event(renderer(modelId).role())
      open()
    },
    onText: (text) => stream.text(text),
  }
  void run(output, stop.signal)
    .then(
      (answer) => {
        const { finish, usage } = renderer(answer.modelId)
        stream.end(finish(answer.finishReason) + (includeUsage ? usage(answer) : '') + doneEvent)
        open()
      },
      (thrown: unknown) => {
        const error = toClientError(failure ?? thrown)
        if (!opened) return reject(thrown)
        stream.end(renderErrorEvent(renderErrorBody(error)))
      },
    )
    .finally(() => {
      cancelKeepAlive()
      signal.removeEventListener('abort', onAbort)
    })
  return promise
}
