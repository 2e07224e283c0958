import { type ChatMessage, type ModelId, modelId, type Sampling, ShoalError } from '@shoal/core'
import { checkParameters, unsupportedParameter } from './chat-parameters.ts'
import { type ChatBody, chatSchema, type MessageBody } from './chat-schema.ts'
import { invalidBody, invalidRequest } from './invalid-request.ts'

/** A validated chat request, in the gateway's own words. */
export interface ChatRequest {
  /** As asked for: a model id or `auto`. */
  readonly model: ModelId
  readonly messages: readonly ChatMessage[]
  readonly sampling: Sampling
  readonly tokensMax: number | null
  readonly thinking: boolean
  readonly stops: readonly string[]
  readonly stream: boolean
  readonly includeUsage: boolean
  /** Fields of the body that nobody defines, as dotted paths. */
  readonly ignored: readonly string[]
}

/** Token limits travel as 32 bits. */
const tokensMaxMax = 2 ** 31 - 1

/** Throws INVALID_REQUEST or UNSUPPORTED_PARAMETER, each with `param`. */
export function parseChat(body: unknown): ChatRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalidBody('The request body is not a JSON object.')
  }
  const ignored = checkParameters(body as Readonly<Record<string, unknown>>)
  const parsed = chatSchema.safeParse(body)
  if (!parsed.success) throw invalidRequest(parsed.error, body)
  const chat = parsed.data
  const stream = chat.stream ?? false
  if (chat.stream_options != null && !stream) {
    throw new ShoalError({ code: 'INVALID_REQUEST', message: 'stream_options is given, but stream is not true.', param: 'stream_options' })
  }
  return {
    model: modelId(chat.model),
    messages: chat.messages.map((message, index) => parseMessage(message, `messages[${index}]`, ignored)),
    sampling: parseSampling(chat),
    tokensMax: parseTokensMax(chat),
    thinking: parseThinking(chat, ignored),
    stops: chat.stop == null ? [] : typeof chat.stop === 'string' ? [chat.stop] : chat.stop,
    stream,
    includeUsage: chat.stream_options?.include_usage ?? false,
    ignored,
  }
}

function parseSampling(chat: ChatBody): Sampling {
  return {
    temperature: chat.temperature ?? null,
    topP: chat.top_p ?? null,
    // llama.cpp's clients write -1 for "all tokens", engines write 0.
    topK: chat.top_k == null ? null : Math.max(0, chat.top_k),
    minP: chat.min_p ?? null,
    frequencyPenalty: chat.frequency_penalty ?? null,
    presencePenalty: chat.presence_penalty ?? null,
    repeatPenalty: chat.repeat_penalty ?? null,
    seed: chat.seed == null ? null : foldSeed(chat.seed),
    logitBias: chat.logit_bias ?? null,
  }
}

/** Any integer -> 53 unsigned bits, the same one every time; the usual seeds stay as they are. */
function foldSeed(seed: number): number {
  return Number.isSafeInteger(seed) && seed >= 0 ? seed : Number(BigInt.asUintN(53, BigInt(seed)))
}

function parseTokensMax(chat: ChatBody): number | null {
  const limits = [chat.max_tokens, chat.max_completion_tokens].filter((limit) => limit != null)
  return limits.length === 0 ? null : Math.min(tokensMaxMax, ...limits)
}

/** Templates know thinking as on or off only, so every effort but `none` turns it on. The more specific field wins. */
function parseThinking(chat: ChatBody, ignored: string[]): boolean {
  for (const name of Object.keys(chat.chat_template_kwargs ?? {})) {
    if (name !== 'enable_thinking') ignored.push(`chat_template_kwargs.${name}`)
  }
  const effort = chat.reasoning_effort == null ? null : chat.reasoning_effort !== 'none'
  return chat.enable_thinking ?? chat.chat_template_kwargs?.enable_thinking ?? effort ?? false
}

/**
 * Fields of a message that have no effect: `name` (no template renders it). A past tool call or refusal would have to be rendered by the
 * model's own format, so it is refused like `tools`.
 */
function parseMessage(message: MessageBody, path: string, ignored: string[]): ChatMessage {
  const { role } = message
  if (role === 'tool' || role === 'function')
    throw unsupportedParameter(`${path}.role`, 'Tool messages cannot be rendered yet; leave them out.')
  for (const name of Object.keys(message)) {
    if (message[name] == null || name === 'role' || name === 'content' || name === 'name') continue
    if (name === 'tool_calls' && Array.isArray(message[name]) && message[name].length === 0) continue
    if (name === 'tool_calls' || name === 'function_call' || name === 'refusal' || name === 'audio')
      throw unsupportedParameter(`${path}.${name}`)
    ignored.push(`${path}.${name}`)
  }
  return { role: role === 'developer' ? 'system' : role, content: parseContent(message.content, `${path}.content`) }
}

function parseContent(content: MessageBody['content'], path: string): string {
  if (typeof content === 'string') return content
  if (content == null || content.length === 0) {
    throw new ShoalError({ code: 'INVALID_REQUEST', message: `${path} is missing or empty.`, param: path })
  }
  const texts = content.map((part, index) => {
    if (part.type !== 'text') {
      throw unsupportedParameter(
        `${path}[${index}].type`,
        `Only parts of type text can be read; ${JSON.stringify(part.type.slice(0, 40))} cannot.`,
      )
    }
    if (part.text === undefined) {
      throw new ShoalError({ code: 'INVALID_REQUEST', message: `${path}[${index}] has no text.`, param: `${path}[${index}].text` })
    }
    return part.text
  })
  return texts.join('\n')
}
