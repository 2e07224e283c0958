import { type Clock, type ModelId, requestId } from '@shoal/core'
import type { Dispatcher } from '../dispatcher/dispatcher.ts'
import type { Output, Work } from '../dispatcher/job.ts'
import type { HttpContext } from '../http-env.ts'
import type { RequestMeter } from '../operations/request-meter.ts'
import { openChatStream } from './chat-stream.ts'
import { type CompletionHead, renderCompletion } from './completion-render.ts'
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
    const unique = context.get('requestId')
    const chat = parseChat(await readJsonBody(context, bodyBytesMax))
    const created = Math.floor(clock.wallMs() / 1000)
    const head = (model: string): CompletionHead => ({
      id: `chatcmpl-${unique}`,
      created,
      model,
      systemFingerprint: fingerprintOf(model as ModelId),
    })
    if (chat.ignored.length > 0) context.header('x-shoal-ignored', renderIgnored(chat.ignored))
    const run = (output: Output, signal: AbortSignal) =>
      meter.measure(output, (measured) => dispatcher.run(toWork(chat, unique), measured, signal))
    const { signal } = context.req.raw
    if (chat.stream) {
      const body = await openChatStream({ clock, head, includeUsage: chat.includeUsage, run, signal })
      return context.body(body, 200, sseHeaders)
    }
    let text = ''
    const answer = await run({ onAccepted() {}, onText: (piece) => (text += piece) }, signal)
    return context.json(renderCompletion(head(answer.modelId), text, answer))
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
