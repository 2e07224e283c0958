import { ShoalError } from '@shoal/core'

/**
 * How a parameter of `POST /v1/chat/completions` is treated:
 * - honoured: has its effect; the schema checks its range
 * - accepted: without effect here, and no answer would differ if it had one
 * - unsupported: OpenAI defines it and this gateway cannot do it yet; refused by name unless `harmless` says that the value asks for nothing
 */
type ParameterRule =
  | { readonly kind: 'honoured' }
  | { readonly kind: 'accepted'; readonly why: string }
  | { readonly kind: 'unsupported'; readonly harmless: (value: unknown) => boolean; readonly instead?: string }

const honoured: ParameterRule = { kind: 'honoured' }
const accepted = (why: string): ParameterRule => ({ kind: 'accepted', why })
const unsupported = (harmless: (value: unknown) => boolean = never, instead?: string): ParameterRule =>
  instead === undefined ? { kind: 'unsupported', harmless } : { kind: 'unsupported', harmless, instead }

/**
 * Every property of CreateChatCompletionRequest in OpenAI's published API description (version 2.3.0) and in its client, and the
 * extensions of llama.cpp and vLLM that are honoured. What is not in this table is ignored and named in `x-shoal-ignored`.
 */
export const chatParameters: Readonly<Record<string, ParameterRule>> = {
  messages: honoured,
  model: honoured,
  stream: honoured,
  stream_options: honoured,
  max_tokens: honoured,
  max_completion_tokens: honoured,
  temperature: honoured,
  top_p: honoured,
  frequency_penalty: honoured,
  presence_penalty: honoured,
  logit_bias: honoured,
  seed: honoured,
  stop: honoured,
  reasoning_effort: honoured,

  top_k: honoured,
  min_p: honoured,
  repeat_penalty: honoured,
  enable_thinking: honoured,
  chat_template_kwargs: honoured,

  user: accepted('names the end user to OpenAI; nothing here depends on it'),
  safety_identifier: accepted('names the end user to OpenAI; nothing here depends on it'),
  metadata: accepted('is attached to stored completions, and nothing is stored'),
  prompt_cache_key: accepted('a hint: prefixes are found by their tokens'),
  prompt_cache_retention: accepted('a hint: cached prefixes cost nothing and stay as long as there is room'),
  prompt_cache_options: accepted('a hint: cached prefixes cost nothing and stay as long as there is room'),
  parallel_tool_calls: accepted('says something only together with tools'),

  n: unsupported((value) => value === 1, 'Send one request per answer.'),
  store: unsupported((value) => value === false),
  service_tier: unsupported((value) => value === 'auto' || value === 'default'),
  modalities: unsupported((value) => isArrayOf(value, (each) => each === 'text')),
  verbosity: unsupported((value) => value === 'medium'),
  response_format: unsupported((value) => isObject(value) && value.type === 'text'),
  logprobs: unsupported((value) => value === false),
  top_logprobs: unsupported((value) => value === 0),
  tools: unsupported(isEmptyArray),
  tool_choice: unsupported((value) => value === 'none'),
  functions: unsupported(isEmptyArray),
  function_call: unsupported((value) => value === 'none'),
  audio: unsupported(),
  prediction: unsupported(),
  web_search_options: unsupported(),
  moderation: unsupported(),
}

/** Throws UNSUPPORTED_PARAMETER for the first parameter that cannot be honoured; returns the names nobody defines. Null means absent. */
export function checkParameters(body: Readonly<Record<string, unknown>>): string[] {
  const ignored: string[] = []
  for (const name of Object.keys(body)) {
    const value = body[name]
    if (value === null || value === undefined) continue
    const rule = Object.hasOwn(chatParameters, name) ? chatParameters[name] : undefined
    if (rule === undefined) ignored.push(name)
    else if (rule.kind === 'unsupported' && !rule.harmless(value)) throw unsupportedParameter(name, rule.instead)
  }
  return ignored
}

export function unsupportedParameter(param: string, remedy?: string): ShoalError {
  return new ShoalError({
    code: 'UNSUPPORTED_PARAMETER',
    message: `The parameter ${param} is not supported with this value.`,
    param,
    ...(remedy === undefined ? {} : { remedy }),
  })
}

function never(): boolean {
  return false
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function isArrayOf(value: unknown, matches: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(matches)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
