import { type Clock, type ModelId, requestId } from '@shoal/core'
import type { Dispatcher } from '../dispatcher/dispatcher.ts'
import type { Output, Work } from '../dispatcher/job.ts'
import { type HttpContext, requestIdOf } from '../http-env.ts'
import type { RequestMeter } from '../operations/request-meter.ts'
import { openChatStream } from './chat-stream.ts'
import { type CompletionHead, renderCompletion } from './completion-render.ts'
import { openNodeSink, openWebSink } from './event-sink.ts'
import { type ChatRequest, parseChat } from './parse-chat.ts'
import { readJsonBody } from './read-body.ts'

export interface ChatRouteOptions {
  readonly clock: Clock
  readonly dispatcher: Pick<Dispatcher, 'run'>
  readonly meter: RequestMeter
  readonly bodyBytesMax: number
  /** Tells builds of a model apart; part of every answer. */
  readonly fingerprintOf: (model: ModelId) => string
}

const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // Proxies of the nginx kind would collect the stream otherwise.
  'x-accel-buffering': 'no',
}

/** `POST /v1/chat/completions` */
export function createChatRoute({ clock, dispatcher, meter, bodyBytesMax, fingerprintOf }: ChatRouteOptions) {
  return async (context: HttpContext): Promise<Response> => {
    const unique = requestIdOf(context)
    const chat = parseChat(await readJsonBody(context, bodyBytesMax))
    const created = Math.floor(clock.wallMs() / 1000)
    const head = (model: string): CompletionHead => ({
      id: `chatcmpl-${unique}`,
      created,
      model,
      systemFingerprint: fingerprintOf(model as ModelId),
    })
    const named = { 'x-request-id': unique, ...(chat.ignored.length === 0 ? {} : { 'x-shoal-ignored': renderIgnored(chat.ignored) }) }
    const run = (output: Output, signal: AbortSignal) =>
      meter.measure(output, (measured) => dispatcher.run(toWork(chat, unique), measured, signal))
    const { signal } = context.req.raw
    if (chat.stream) {
      const headers = { ...sseHeaders, ...named }
      const outgoing = context.env?.outgoing
      const open = outgoing === undefined ? openWebSink(headers) : openNodeSink(outgoing, headers)
      return openChatStream({ clock, head, includeUsage: chat.includeUsage, run, open, signal })
    }
    let text = ''
    const answer = await run({ onAccepted() {}, onText: (piece) => (text += piece) }, signal)
    // A plain record of headers: the server's fast way of sending a response.
    const body = JSON.stringify(renderCompletion(head(answer.modelId), text, answer))
    return new Response(body, { headers: { 'content-type': 'application/json', ...named } })
  }
}

function toWork(chat: ChatRequest, unique: string): Work {
  const { model, messages, sampling, tokensMax, thinking, stops } = chat
  return { requestId: requestId(unique), model, messages, sampling, tokensMax, thinking, stops }
}

/** Field names come from the client: a header takes plain characters only, and not many of them. */
function renderIgnored(names: readonly string[]): string {
  const text = names.map((name) => name.slice(0, 80).replaceAll(/[^\w.[\]-]/g, '?')).join(', ')
  return text.length > 1000 ? `${text.slice(0, 1000)}...` : text
}
