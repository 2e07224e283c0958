import type { FinishReason } from '@shoal/core'
import type { Answer } from '../dispatcher/job.ts'

/** What every chunk of one answer repeats. */
export interface CompletionHead {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
  readonly systemFingerprint: string
}

export interface UsageBody {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly completion_tokens_details: { readonly reasoning_tokens: number }
}

export function renderUsage({ promptTokens, cachedTokens, completionTokens }: Answer): UsageBody {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: 0 },
  }
}

/** The `chat.completion` object of an answer that is not streamed. */
export function renderCompletion(head: CompletionHead, text: string, answer: Answer): unknown {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    system_fingerprint: head.systemFingerprint,
    choices: [
      { index: 0, message: { role: 'assistant', content: text, refusal: null }, logprobs: null, finish_reason: answer.finishReason },
    ],
    usage: renderUsage(answer),
  }
}

/** Server-sent events of one answer; the parts that repeat are rendered once, a delta costs one JSON string. */
export interface ChunkRenderer {
  role(): string
  delta(text: string): string
  finish(reason: FinishReason): string
  usage(answer: Answer): string
}

export const doneEvent = 'data: [DONE]\n\n'
export const keepAliveComment = ': keep-alive\n\n'

export function createChunkRenderer(head: CompletionHead, includeUsage: boolean): ChunkRenderer {
  const { id, created, model, systemFingerprint } = head
  const common = JSON.stringify({ id, object: 'chat.completion.chunk', created, model, system_fingerprint: systemFingerprint }).slice(0, -1)
  const open = `data: ${common},"choices":[{"index":0,"delta":`
  // With include_usage OpenAI sends `usage: null` in every chunk but the last.
  const end = includeUsage ? '],"usage":null}\n\n' : ']}\n\n'
  const rest = `,"logprobs":null,"finish_reason":null}${end}`
  const deltaOpen = `${open}{"content":`
  const deltaEnd = `}${rest}`
  return {
    role: () => `${open}{"role":"assistant","content":""}${rest}`,
    delta: (text) => deltaOpen + JSON.stringify(text) + deltaEnd,
    finish: (reason) => `${open}{},"logprobs":null,"finish_reason":"${reason}"}${end}`,
    usage: (answer) => `data: ${common},"choices":[],"usage":${JSON.stringify(renderUsage(answer))}}\n\n`,
  }
}

export function renderErrorEvent(body: unknown): string {
  return `data: ${JSON.stringify(body)}\n\n`
}
