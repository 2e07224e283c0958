import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Agent, startAgent } from '@shoal/agent'
import type { DeploymentsResponse, Engine, LoadedModel } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { createLlamaEngine } from '@shoal/engine'
import { type Gateway, startGateway } from '@shoal/gateway'
import { writeModel } from '@shoal/gguf'
import { createMetrics, systemClock } from '@shoal/runtime'
import OpenAI, { APIError, BadRequestError, NotFoundError, RateLimitError } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OpenAiSchema, schemaProblems } from '../fixtures/openai/validate.ts'

/** The published client against a gateway and an agent with the real engine on a tiny model. */
const contextTokens = 256
let home: string
let agent: Agent
let gateway: Gateway
let client: OpenAI
/** The model in its engine child, to be killed by a test. */
let loaded: LoadedModel | null = null

const messages = [{ role: 'user' as const, content: 'Say something.' }]
const greedy = { model: 'tiny', messages, temperature: 0, max_tokens: 40 }

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'shoal-openai-'))
  const directories = { state: path.join(home, 'state'), models: path.join(home, 'models'), cache: path.join(home, 'cache') }
  await mkdir(directories.models, { recursive: true })
  await writeModel(
    {
      ...{ architecture: 'llama', name: 'tiny', seed: 11, weightType: 'F16', contextTokens: 4096, layerCount: 4 },
      ...{ embeddingLength: 64, headCount: 4, headCountKv: 2, headLength: 32, vocabularySize: 2048, feedForwardLength: 128 },
    },
    path.join(directories.models, 'tiny.gguf'),
  )
  const log = createFakeLog()
  const common = { log, clock: systemClock, host: '127.0.0.1', port: 0, insecureLan: false }
  const llama = createLlamaEngine({ log, clock: systemClock, gpu: false })
  const engine: Engine = {
    async loadModel(...args) {
      loaded = await llama.loadModel(...args)
      return loaded
    },
  }
  agent = await startAgent({ ...common, directories, announce: false, engine, threads: 1 })
  gateway = await startGateway({ ...common, peers: [agent.address], mdns: false, metrics: createMetrics(), queueMax: 2 })
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
  await until(() => gateway.view().nodes.length === 1, 'the node')
  const request = { model: 'tiny', replicas: 1, contextTokens, slots: 2 }
  const headers = { 'content-type': 'application/json' }
  await fetch(`${gateway.url}/shoal/v1/deployments`, { method: 'POST', headers, body: JSON.stringify(request) })
  await until(() => gateway.view().nodes[0]?.state.models[0]?.status === 'ready', 'the model')
}, 60_000)

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await agent?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
}, 30_000)

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 20_000; !condition(); ) {
    if (performance.now() > end) throw new Error(`never came: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const slotsUsed = () => gateway.view().nodes[0]?.state.models[0]?.slotsUsed

function expectValid(name: OpenAiSchema, value: unknown): void {
  expect(schemaProblems(name, value), JSON.stringify(value)).toEqual([])
}

async function failure(run: () => PromiseLike<unknown>): Promise<APIError> {
  try {
    await run()
  } catch (error) {
    if (error instanceof APIError) return error
    throw error
  }
  throw new Error('it succeeded')
}

test('the schemas refuse what is not valid', () => {
  expect(schemaProblems('CreateChatCompletionStreamResponse', { id: 'x', choices: [{ index: 0, delta: {} }] })).not.toEqual([])
  expect(schemaProblems('ErrorResponse', { error: { message: 'x', type: 'y' } })).not.toEqual([])
})

test('lists and retrieves models', async () => {
  const list = await client.models.list()
  expectValid('ListModelsResponse', { object: list.object, data: list.data })
  expect(list.data.map(({ id }) => id)).toContain('tiny')
  expectValid('Model', await client.models.retrieve('tiny'))
})

test('answers without a stream', async () => {
  const { data, response } = await client.chat.completions.create(greedy).withResponse()
  expectValid('CreateChatCompletionResponse', data)
  expect(data.choices[0]?.message.content?.length).toBeGreaterThan(0)
  expect(data.choices[0]?.finish_reason).toBe('length')
  expect(data.usage).toMatchObject({ completion_tokens: 40, total_tokens: 40 + (data.usage?.prompt_tokens ?? 0) })
  expect(data.usage?.prompt_tokens).toBeGreaterThan(0)
  expect(data.id).toBe(`chatcmpl-${response.headers.get('x-request-id')}`)
})

test('answers with a stream: every chunk is valid, the usage comes last, and the text is that of the whole answer', async () => {
  const whole = await client.chat.completions.create(greedy)
  const stream = await client.chat.completions.create({ ...greedy, stream: true, stream_options: { include_usage: true } })
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  for (const chunk of chunks) expectValid('CreateChatCompletionStreamResponse', chunk)
  expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content)
  expect(chunks.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'length' })
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 40, prompt_tokens: whole.usage?.prompt_tokens } })
})

test('the helper that collects a stream sees one answer', async () => {
  const whole = await client.chat.completions.create(greedy)
  const final = await client.chat.completions.stream(greedy).finalChatCompletion()
  expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content)
})

test('auto is answered by the model there is', async () => {
  expect((await client.chat.completions.create({ ...greedy, model: 'auto' })).model).toBe('tiny')
})

test('a seed repeats an answer, another seed gives another', async () => {
  const ask = async (seed: number) =>
    (await client.chat.completions.create({ ...greedy, temperature: 1, seed })).choices[0]?.message.content
  const [first, again, other] = [await ask(1), await ask(1), await ask(2)]
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('a stop string ends the answer before it, wherever tokens begin and end', async () => {
  const text = (await client.chat.completions.create(greedy)).choices[0]?.message.content ?? ''
  const middle = Math.floor(text.length / 2)
  const stop = text.slice(middle, middle + 5)
  for (const stream of [false, true]) {
    const answer = stream
      ? await client.chat.completions.stream({ ...greedy, stop }).finalChatCompletion()
      : await client.chat.completions.create({ ...greedy, stop })
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: text.slice(0, text.indexOf(stop)) } })
  }
  await until(() => slotsUsed() === 0, 'the free slot')
})

test('an abort in mid-stream frees the slot', async () => {
  for (let round = 0; round < 5; round++) {
    const stream = await client.chat.completions.create({ ...greedy, max_tokens: 200, stream: true })
    let count = 0
    for await (const _chunk of stream) if (++count === 4) stream.controller.abort()
    await until(() => slotsUsed() === 0, 'the free slot')
  }
  expect((await client.chat.completions.create({ ...greedy, max_tokens: 2 })).usage?.completion_tokens).toBe(2)
})

test('an unknown model is NotFoundError', async () => {
  const error = await failure(() => client.chat.completions.create({ ...greedy, model: 'nope' }))
  expect(error).toBeInstanceOf(NotFoundError)
  expect(error).toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' })
  expect(error.message).toContain('tiny')
  expect(error.requestID).toMatch(/^[0-9a-f]{32}$/)
})

test.each([
  ['out of range', { temperature: 3 }, 'temperature', 'invalid_request'],
  ['not supported', { n: 2 }, 'n', 'unsupported_parameter'],
  ['tools', { tools: [{ type: 'function' as const, function: { name: 'f' } }] }, 'tools', 'unsupported_parameter'],
])('a parameter that is %s is BadRequestError and named', async (_name, change, param, code) => {
  for (const stream of [false, true]) {
    const error = await failure(() => client.chat.completions.create({ ...greedy, ...change, stream }))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({ status: 400, param, code })
  }
})

test("a prompt longer than the context is BadRequestError with OpenAI's code", async () => {
  const long = [{ role: 'user' as const, content: 'word '.repeat(2 * contextTokens) }]
  for (const stream of [false, true]) {
    const error = await failure(() => client.chat.completions.create({ ...greedy, messages: long, stream }))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error.code).toBe('context_length_exceeded')
  }
})

test('a full queue is RateLimitError that says when to come back', async () => {
  const stop = new AbortController()
  const busy = Array.from({ length: 4 }, () =>
    client.chat.completions.create({ ...greedy, max_tokens: 200, temperature: 1 }, { signal: stop.signal }),
  )
  const ended = Promise.allSettled(busy)
  const errors = await Promise.all(Array.from({ length: 3 }, () => failure(() => client.chat.completions.create(greedy))))
  for (const error of errors) {
    expect(error).toBeInstanceOf(RateLimitError)
    expect(error).toMatchObject({ code: 'queue_full', type: 'rate_limit_error' })
    expect(Number(error.headers?.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  stop.abort()
  await ended
  await until(() => slotsUsed() === 0, 'free slots')
})

test("a body that is too large, not JSON, or of another type is told so in OpenAI's form", async () => {
  const send = async (body: string, type = 'application/json') => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': type }, body })
    const value: unknown = await response.json()
    expectValid('ErrorResponse', value)
    return response.status
  }
  expect(await send(JSON.stringify({ ...greedy, padding: 'x'.repeat(33 * 1024 * 1024) }))).toBe(413)
  expect(await send('{')).toBe(400)
  expect(await send('')).toBe(400)
  expect(await send(JSON.stringify(greedy), 'text/plain')).toBe(415)
})

test('an engine that is killed in mid-stream is an APIError with its code, and the next request succeeds', async () => {
  const stream = await client.chat.completions.create({ ...greedy, max_tokens: 200, stream: true })
  const read = async () => {
    let count = 0
    for await (const _chunk of stream) {
      if (++count !== 4) continue
      const pid = loaded !== null && 'pid' in loaded ? loaded.pid : null
      if (typeof pid !== 'number') throw new Error('the model has no process')
      process.kill(pid, 'SIGKILL')
    }
  }
  const error = await failure(read)
  expect(error.code).toBe('engine_crashed')
  const next = await client.chat.completions.create({ ...greedy, max_tokens: 2 })
  expect(next.usage?.completion_tokens).toBe(2)
}, 60_000)

test('deployments show what serves', async () => {
  const { deployments } = (await (await fetch(`${gateway.url}/shoal/v1/deployments`)).json()) as DeploymentsResponse
  expect(deployments).toMatchObject([{ deployment: { modelId: 'tiny', replicas: 1 }, readyReplicas: 1, reason: null }])
})
