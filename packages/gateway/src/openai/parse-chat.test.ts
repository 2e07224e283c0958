import { ShoalError } from '@shoal/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chatParameters } from './chat-parameters.ts'
import { parseChat } from './parse-chat.ts'

const base = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const parse = (change: object) => parseChat({ ...base, ...change })
const problem = (body: unknown) => {
  try {
    parseChat(body)
  } catch (error) {
    const { code, param } = ShoalError.from(error)
    return { code, param }
  }
  return null
}

test('the shortest request', () => {
  expect(parseChat(base)).toEqual({
    model: 'm',
    messages: [{ role: 'user', content: 'hi' }],
    sampling: {
      ...{ temperature: null, topP: null, topK: null, minP: null, frequencyPenalty: null },
      ...{ presencePenalty: null, repeatPenalty: null, seed: null, logitBias: null },
    },
    ...{ tokensMax: null, thinking: false, stops: [], stream: false, includeUsage: false, ignored: [] },
  })
})

test.each([
  ['sampling', { temperature: 0, top_p: 0.5, seed: 7 }, { sampling: { temperature: 0, topP: 0.5, seed: 7 } }],
  ["llama.cpp's sampling", { top_k: 40, min_p: 0.05, repeat_penalty: 1.1 }, { sampling: { topK: 40, minP: 0.05, repeatPenalty: 1.1 } }],
  ["all tokens, as llama.cpp's clients write it", { top_k: -1 }, { sampling: { topK: 0 } }],
  ['penalties', { frequency_penalty: -2, presence_penalty: 2 }, { sampling: { frequencyPenalty: -2, presencePenalty: 2 } }],
  ['logit bias', { logit_bias: { 5: -100 } }, { sampling: { logitBias: { 5: -100 } } }],
  ['both names of the token limit: the smaller', { max_tokens: 9, max_completion_tokens: 5 }, { tokensMax: 5 }],
  ['a limit beyond any answer', { max_tokens: 1e12 }, { tokensMax: 2 ** 31 - 1 }],
  ['one stop string', { stop: 'x' }, { stops: ['x'] }],
  ['several stop strings', { stop: ['x', 'y'] }, { stops: ['x', 'y'] }],
  ['a stream with usage', { stream: true, stream_options: { include_usage: true } }, { stream: true, includeUsage: true }],
  [
    'a stream with obfuscation, which is left out',
    { stream: true, stream_options: { include_obfuscation: true } },
    { includeUsage: false },
  ],
  ['thinking', { enable_thinking: true }, { thinking: true }],
  ['thinking by template argument', { chat_template_kwargs: { enable_thinking: true } }, { thinking: true }],
  ['thinking by effort', { reasoning_effort: 'low' }, { thinking: true }],
  ['no thinking by effort', { reasoning_effort: 'none' }, { thinking: false }],
  ['the field that says it most plainly', { reasoning_effort: 'high', enable_thinking: false }, { thinking: false }],
  ['null for everything that may be absent', Object.fromEntries(nullable().map((name) => [name, null])), { stream: false, ignored: [] }],
  ['fields nobody defines', { foo: 1, chat_template_kwargs: { bar: 1 } }, { ignored: ['foo', 'chat_template_kwargs.bar'] }],
])('honours %s', (_name, change, expected) => {
  expect(parse(change)).toMatchObject(expected)
})

function nullable(): string[] {
  return Object.keys(chatParameters).filter((name) => name !== 'model' && name !== 'messages')
}

test('messages: developer is system, text parts are joined, a name and empty tool calls say nothing', () => {
  const { messages, ignored } = parse({
    messages: [
      { role: 'developer', content: 'rules' },
      {
        role: 'user',
        name: 'ann',
        content: [
          { type: 'text', text: 'one' },
          { type: 'text', text: 'two' },
        ],
      },
      { role: 'assistant', content: 'ok', tool_calls: [], refusal: null, foo: 1 },
    ],
  })
  expect(messages).toEqual([
    { role: 'system', content: 'rules' },
    { role: 'user', content: 'one\ntwo' },
    { role: 'assistant', content: 'ok' },
  ])
  expect(ignored).toEqual(['messages[2].foo'])
})

const anyTool = [{ type: 'function', function: { name: 'f' } }]

test.each([
  ['n', 2],
  ['store', true],
  ['service_tier', 'flex'],
  ['modalities', ['text', 'audio']],
  ['verbosity', 'low'],
  ['response_format', { type: 'json_object' }],
  ['response_format', { type: 'json_schema', json_schema: { name: 'x' } }],
  ['logprobs', true],
  ['top_logprobs', 3],
  ['tools', anyTool],
  ['tool_choice', 'auto'],
  ['tool_choice', 'required'],
  ['functions', [{ name: 'f' }]],
  ['function_call', 'auto'],
  ['audio', { voice: 'alloy', format: 'wav' }],
  ['prediction', { type: 'content', content: 'x' }],
  ['web_search_options', {}],
  ['moderation', { model: 'omni-moderation-latest' }],
])('refuses %s = %j by name', (name, value) => {
  expect(problem({ ...base, [name]: value })).toEqual({ code: 'UNSUPPORTED_PARAMETER', param: name })
})

test('values of unsupported parameters that ask for nothing pass', () => {
  const harmless = {
    ...{ n: 1, store: false, service_tier: 'auto', modalities: ['text'], verbosity: 'medium', response_format: { type: 'text' } },
    ...{ logprobs: false, top_logprobs: 0, tools: [], tool_choice: 'none', functions: [], function_call: 'none' },
  }
  expect(parse(harmless).ignored).toEqual([])
  const accepted = { user: 'u', safety_identifier: 's', metadata: { a: 'b' }, prompt_cache_key: 'k', parallel_tool_calls: true }
  expect(parse(accepted).ignored).toEqual([])
})

test('null means absent for every parameter', () => {
  for (const name of Object.keys(chatParameters)) {
    if (name === 'model' || name === 'messages') continue
    expect(problem({ ...base, [name]: null }), name).toBeNull()
  }
})

test.each([
  ['nothing', null, null],
  ['a list', [], null],
  ['no model', { messages: base.messages }, 'model'],
  ['an empty model', { ...base, model: '' }, 'model'],
  ['no messages', { model: 'm' }, 'messages'],
  ['an empty list of messages', { ...base, messages: [] }, 'messages'],
  ['a message of an unknown role', { ...base, messages: [{ role: 'boss', content: 'x' }] }, 'messages[0].role'],
  ['a message without content', { ...base, messages: [{ role: 'user' }] }, 'messages[0].content'],
  ['a message with an empty list of parts', { ...base, messages: [{ role: 'user', content: [] }] }, 'messages[0].content'],
  ['content that is a number', { ...base, messages: [base.messages[0], { role: 'user', content: 5 }] }, 'messages[1].content'],
  ['a part without text', { ...base, messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
  ['an unpaired surrogate', { ...base, messages: [{ role: 'user', content: 'a\ud800' }] }, 'messages[0].content'],
  ['more messages than anyone needs', { ...base, messages: Array.from({ length: 5000 }, () => base.messages[0]) }, 'messages'],
  ['a temperature as text', { ...base, temperature: '1' }, 'temperature'],
  ['a temperature beyond 2', { ...base, temperature: 2.1 }, 'temperature'],
  ['a temperature that is infinite', { ...base, temperature: Number.POSITIVE_INFINITY }, 'temperature'],
  ['top_p below 0', { ...base, top_p: -0.1 }, 'top_p'],
  ['no tokens', { ...base, max_tokens: 0 }, 'max_tokens'],
  ['half a token', { ...base, max_completion_tokens: 0.5 }, 'max_completion_tokens'],
  ['a bias of no token', { ...base, logit_bias: { hello: 1 } }, 'logit_bias.hello'],
  ['a bias beyond 100', { ...base, logit_bias: { 1: 101 } }, 'logit_bias.1'],
  ['a seed that is no integer', { ...base, seed: 1.5 }, 'seed'],
  ['an empty stop string', { ...base, stop: '' }, 'stop'],
  ['too many stop strings', { ...base, stop: Array.from({ length: 17 }, String) }, 'stop'],
  ['a stream that is a word', { ...base, stream: 'yes' }, 'stream'],
  ['stream options without a stream', { ...base, stream_options: { include_usage: true } }, 'stream_options'],
])('refuses %s, naming the field', (_name, body, param) => {
  expect(problem(body)).toEqual({ code: 'INVALID_REQUEST', param })
})

test.each([
  ['an image', { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }, 'messages[0].content[0].type'],
  ['a tool result', { role: 'tool', tool_call_id: 'x', content: 'y' }, 'messages[0].role'],
  ['a past tool call', { role: 'assistant', content: null, tool_calls: anyTool }, 'messages[0].tool_calls'],
  ['a past refusal', { role: 'assistant', content: 'x', refusal: 'no' }, 'messages[0].refusal'],
])('cannot render %s yet, and says where it is', (_name, message, param) => {
  expect(problem({ ...base, messages: [message] })).toEqual({ code: 'UNSUPPORTED_PARAMETER', param })
})

test('a seed of any size becomes 53 unsigned bits, the same ones every time', () => {
  const seedOf = (seed: number) => parse({ seed }).sampling.seed
  expect([0, 42, Number.MAX_SAFE_INTEGER].map(seedOf)).toEqual([0, 42, Number.MAX_SAFE_INTEGER])
  expect(seedOf(-1)).toBe(Number.MAX_SAFE_INTEGER)
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: -(2 ** 63), max: 2 ** 63 }), (value) => {
      const seed = seedOf(Math.trunc(value))
      expect(Number.isSafeInteger(seed) && Number(seed) >= 0).toBe(true)
      expect(seedOf(Math.trunc(value))).toBe(seed)
    }),
  )
})

test('names like __proto__ are fields nobody defines, and pollute nothing', () => {
  const body: unknown = JSON.parse(
    '{"model":"m","messages":[{"role":"user","content":"x","__proto__":{"role":"system"}}],"__proto__":{"stream":true},"constructor":1,"logit_bias":{"1":2}}',
  )
  const chat = parseChat(body)
  expect(chat).toMatchObject({ stream: false, messages: [{ role: 'user', content: 'x' }], sampling: { logitBias: { 1: 2 } } })
  expect(chat.ignored).toEqual(['__proto__', 'constructor'])
  expect(({} as { stream?: boolean }).stream).toBeUndefined()
})

test("whatever JSON comes, it is a request or an error that is the client's", () => {
  const field = fc.constantFrom(...Object.keys(chatParameters))
  const body = fc.tuple(fc.dictionary(field, fc.jsonValue({ maxDepth: 4 })), fc.boolean()).map(([fields, isWhole]) => {
    return isWhole ? { ...fields, ...base } : fields
  })
  fc.assert(
    fc.property(body, (value) => {
      expect([null, 'INVALID_REQUEST', 'UNSUPPORTED_PARAMETER']).toContain(problem(value)?.code ?? null)
    }),
    { numRuns: 3000 },
  )
})
