import { modelId, ShoalError } from '@shoal/core'
import { createManualClock } from '@shoal/core/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFakeNode, type FakeNode, modelState, streamWords } from './testing/fake-node.ts'
import { readEvents } from './testing/read-events.ts'
import { startApp } from './testing/start-app.ts'

const messages = [{ role: 'user', content: 'hi' }]
const base = { model: 'm', messages }
const node = (slotsTotal = 4) =>
  createFakeNode({ id: 'a', models: [modelState('m', { slotsTotal, sha256: 'abcdef0123456789'.repeat(4) })] })
const errorOf = async (response: Response) => ((await response.json()) as { error: Record<string, unknown> }).error
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
const fail =
  (error: ShoalError): FakeNode['generate'] =>
  () =>
    Promise.reject(error)

test('an answer that is not streamed is one chat.completion', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const response = await gateway.chat(base)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  const id = response.headers.get('x-request-id')
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  const body = (await response.json()) as { created: number }
  expect(body).toEqual({
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: body.created,
    model: 'm',
    system_fingerprint: 'shoal-abcdef012345',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello world', refusal: null }, logprobs: null, finish_reason: 'stop' }],
    usage: {
      ...{ prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
      prompt_tokens_details: { cached_tokens: 3 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  })
  expect(Math.abs(body.created - Date.now() / 1000)).toBeLessThan(60)
})

test('a stream begins with the role, ends with the finish reason and [DONE], and every chunk names the same answer', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const response = await gateway.chat({ ...base, stream: true })
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  })
  const { chunks, isDone, text } = readEvents(await response.text())
  expect(isDone).toBe(true)
  expect(text).toBe('Hello world')
  expect(chunks.map(({ choices }) => [choices[0]?.delta, choices[0]?.finish_reason])).toEqual([
    [{ role: 'assistant', content: '' }, null],
    [{ content: 'Hello' }, null],
    [{ content: ' world' }, null],
    [{}, 'stop'],
  ])
  const heads = chunks.map(({ id, object, created, model, system_fingerprint }) =>
    JSON.stringify([id, object, created, model, system_fingerprint]),
  )
  expect(new Set(heads).size).toBe(1)
  expect(chunks[0]).toMatchObject({ id: `chatcmpl-${response.headers.get('x-request-id')}`, object: 'chat.completion.chunk', model: 'm' })
  expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true)
})

test('with include_usage every chunk has usage null but the last, which has no choices', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const { chunks } = readEvents(await (await gateway.chat({ ...base, stream: true, stream_options: { include_usage: true } })).text())
  expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } })
})

test('text is escaped as JSON, whatever it is', async () => {
  const fake = node()
  const words = ['"quotes"', '\n\ndata: [DONE]\n\n', '\u2028', '😀', '</script>']
  fake.generate = streamWords(words)
  await using gateway = await startApp({ nodes: [fake] })
  expect(readEvents(await (await gateway.chat({ ...base, stream: true })).text()).text).toBe(words.join(''))
})

test('auto is answered by the model there is, and the answer names it', async () => {
  const fake = node()
  await using gateway = await startApp({ nodes: [fake] })
  const body = (await (await gateway.chat({ ...base, model: 'auto' })).json()) as { model: string }
  expect(body.model).toBe('m')
  expect(fake.requests[0]?.modelId).toBe('m')
})

test('what the node gets is what the client asked for', async () => {
  const fake = node()
  await using gateway = await startApp({ nodes: [fake] })
  await gateway.chat({ ...base, temperature: 0.5, max_tokens: 3, enable_thinking: true, stop: ['never'] })
  expect(fake.requests[0]).toMatchObject({ messages, epoch: 1, tokensMax: 3, thinking: true, sampling: { temperature: 0.5 } })
})

test('fields nobody defines are ignored and named in a header', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const strange = `x\r\nset-cookie: a${'b'.repeat(500)}`
  const response = await gateway.chat({ ...base, foo: 1, [strange]: 2 })
  expect(response.status).toBe(200)
  expect(response.headers.get('x-shoal-ignored')).toBe(`foo, x??set-cookie??a${'b'.repeat(64)}`)
  const streamed = await gateway.chat({ ...base, stream: true, foo: 1 })
  expect(streamed.headers.get('x-shoal-ignored')).toBe('foo')
  await streamed.text()
})

test.each([
  ['an unknown model', { ...base, model: 'nope' }, 404, 'invalid_request_error', 'model', 'model_not_found'],
  ['a parameter out of range', { ...base, temperature: 9 }, 400, 'invalid_request_error', 'temperature', 'invalid_request'],
  ['a parameter that is not supported', { ...base, n: 2 }, 400, 'invalid_request_error', 'n', 'unsupported_parameter'],
])('%s is an error with all four keys', async (_name, body, status, type, param, code) => {
  await using gateway = await startApp({ nodes: [node()] })
  const response = await gateway.chat(body)
  expect(response.status).toBe(status)
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
  const error = await errorOf(response)
  expect(error).toEqual({ message: error.message, type, param, code })
})

test('an unknown model names those that can be had', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  expect((await errorOf(await gateway.chat({ ...base, model: 'nope' }))).message).toContain('Available: m, or auto.')
})

test.each([
  ['an empty body', '', 400, 'invalid_json'],
  ['half a body', '{"model":"m","mess', 400, 'invalid_json'],
  ['nothing but a byte order mark', '\ufeff', 400, 'invalid_json'],
  ['two byte order marks', '\ufeff\ufeff{}', 400, 'invalid_json'],
  ['a comment', '{/**/}', 400, 'invalid_json'],
  ['NaN', '{"model":"m","temperature":NaN}', 400, 'invalid_json'],
  ['a bare word', 'hello', 400, 'invalid_json'],
  ['deep nesting', `{"model":${'['.repeat(100_000)}`, 400, 'invalid_request'],
  ['millions of values', `[${'{},'.repeat(300_000)}{}]`, 400, 'invalid_request'],
  ['a list', '[]', 400, 'invalid_request'],
  ['more bytes than allowed', JSON.stringify({ ...base, padding: 'x'.repeat(2_000_000) }), 413, 'body_too_large'],
])('%s is refused before it costs anything', async (_name, body, status, code) => {
  await using gateway = await startApp({ nodes: [node()], bodyBytesMax: 1_000_000 })
  const began = performance.now()
  const response = await gateway.chat(body)
  expect(response.status).toBe(status)
  expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error', code })
  // Generous for a busy machine; parsing what is refused here takes seconds.
  expect(performance.now() - began).toBeLessThan(1000)
})

test('a mistake in the JSON is answered without quoting what stands there', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const error = await errorOf(await gateway.chat('{"model":"m","messages":[{"role":"user","content":"my secret" oops}]}'))
  expect(error.message).not.toContain('secret')
  expect(error.message).not.toContain('oops')
  expect(error.message).toMatch(/character \d+/)
})

test('a body that is no UTF-8 is refused, not repaired', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const body = Buffer.concat([
    Buffer.from('{"model":"m","messages":[{"role":"user","content":"'),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('"}]}'),
  ])
  const response = await gateway.app.request('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  expect(response.status).toBe(400)
  expect((await errorOf(response)).message).toContain('UTF-8')
})

test('an announced length beyond the limit is refused without reading', async () => {
  await using gateway = await startApp({ nodes: [node()], bodyBytesMax: 1000 })
  const headers = { 'content-type': 'application/json', 'content-length': '999999' }
  const body = new ReadableStream({
    pull() {
      throw new Error('was read')
    },
  })
  const response = await gateway.app.request('/v1/chat/completions', { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
  expect(response.status).toBe(413)
})

test.each([
  ['none', undefined, 415],
  ['text', 'text/plain', 415],
  ['something like JSON', 'application/jsonp', 415],
  ['JSON', 'application/json', 200],
  ['JSON with a charset', 'application/json; charset=utf-8', 200],
  ['a kind of JSON', 'application/vnd.api+json', 200],
])('content type: %s', async (_name, type, status) => {
  await using gateway = await startApp({ nodes: [node()] })
  const body = new Blob([JSON.stringify(base)])
  const response = await gateway.app.request('/v1/chat/completions', {
    method: 'POST',
    headers: type === undefined ? {} : { 'content-type': type },
    body,
  })
  expect(response.status).toBe(status)
})

test.each([
  ['gzip', 415],
  ['br, gzip', 415],
  ['Deflate', 415],
  ['identity', 200],
])('content encoding: %s', async (encoding, status) => {
  await using gateway = await startApp({ nodes: [node()] })
  const response = await gateway.chat(base, { headers: { 'content-encoding': encoding } })
  expect(response.status).toBe(status)
  if (status !== 200) {
    const error = await errorOf(response)
    expect(error).toMatchObject({ code: 'unsupported_media_type', message: expect.stringContaining(encoding.toLowerCase()) })
    expect(error.message).not.toContain('content-type')
  }
})

test('a byte order mark before the body is no part of it', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  expect((await gateway.chat(`\ufeff${JSON.stringify(base)}`)).status).toBe(200)
})

test("a prompt that is too long is the client's error, with OpenAI's code", async () => {
  const fake = node()
  fake.generate = fail(
    new ShoalError({ code: 'CONTEXT_LENGTH_EXCEEDED', message: 'The prompt has 9000 tokens, the context 4096.', param: 'messages' }),
  )
  await using gateway = await startApp({ nodes: [fake] })
  for (const stream of [false, true]) {
    const response = await gateway.chat({ ...base, stream })
    expect(response.status).toBe(400)
    expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' })
  }
})

test('a full queue is 429 with a time to come back', async () => {
  const fake = node(1)
  fake.generate = () => new Promise(() => {})
  await using gateway = await startApp({ nodes: [fake], queueMax: 0 })
  const stop = new AbortController()
  const first = gateway.chat(base, { signal: stop.signal })
  await settle()
  const response = await gateway.chat(base)
  expect(response.status).toBe(429)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(Number(response.headers.get('retry-after-ms'))).toBeGreaterThanOrEqual(1000)
  expect(await errorOf(response)).toMatchObject({ type: 'rate_limit_error', code: 'queue_full' })
  stop.abort()
  expect((await first).status).toBe(499)
})

test('without a node the answer is 503 with a time to come back', async () => {
  await using gateway = await startApp({ nodes: [] })
  const response = await gateway.chat(base)
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).not.toBeNull()
  expect(await errorOf(response)).toMatchObject({ type: 'server_error', code: 'no_node' })
})

test('a defect is 500 without its text, which stands in the log', async () => {
  const fake = node()
  fake.generate = () => Promise.reject(new Error('secret of the machine'))
  await using gateway = await startApp({ nodes: [fake] })
  const response = await gateway.chat(base)
  expect(response.status).toBe(500)
  expect((await errorOf(response)).message).not.toContain('secret')
  expect(gateway.log.entries.some(({ level }) => level === 'error')).toBe(true)
})

test('a stream that fails in the middle ends in one error event and no [DONE]', async () => {
  const fake = node()
  fake.generate = (request, emit) => {
    emit({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
    emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [1], text: 'half' })
    return Promise.reject(new ShoalError({ code: 'ENGINE_CRASHED', message: 'The engine crashed.' }))
  }
  await using gateway = await startApp({ nodes: [fake] })
  const response = await gateway.chat({ ...base, stream: true })
  expect(response.status).toBe(200)
  const { chunks, isDone, text } = readEvents(await response.text())
  expect(isDone).toBe(false)
  expect(text).toBe('half')
  expect(chunks.at(-1)?.error).toEqual({
    ...{ type: 'server_error', param: null, code: 'engine_crashed' },
    message: 'The engine crashed. Send the request again; the engine is being restarted.',
  })
  expect(chunks.slice(0, -1).some((chunk) => 'error' in chunk)).toBe(false)
})

test('while a request waits the client gets comments and no JSON', async () => {
  const fake = node(1)
  const clock = createManualClock()
  await using gateway = await startApp({ nodes: [fake], clock })
  fake.generate = () => new Promise(() => {})
  const stop = new AbortController()
  const first = gateway.chat(base, { signal: stop.signal })
  await settle()
  const waiting = gateway.chat({ ...base, stream: true })
  await settle()
  for (let second = 0; second < 3; second++) {
    clock.advance(1000)
    fake.beat()
    await settle()
  }
  fake.generate = streamWords(['now'])
  stop.abort()
  await first
  const { comments, chunks, isDone, text } = readEvents(await (await waiting).text())
  expect(comments).toEqual(['keep-alive', 'keep-alive', 'keep-alive'])
  expect(text).toBe('now')
  expect(isDone).toBe(true)
  expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant')
})

test('a request that waited and then fails is told so inside its stream', async () => {
  const fake = node(1)
  const clock = createManualClock()
  await using gateway = await startApp({ nodes: [fake], clock })
  fake.generate = (_request, _emit, signal) =>
    new Promise((_resolve, reject) => {
      clock.after(2000, () => reject(new ShoalError({ code: 'CONTEXT_LENGTH_EXCEEDED', message: 'too long' })))
      signal.addEventListener('abort', () => {})
    })
  const waiting = gateway.chat({ ...base, stream: true })
  await settle()
  clock.advance(1000)
  const response = await waiting
  clock.advance(1000)
  const { chunks, isDone } = readEvents(await response.text())
  expect(chunks.map((chunk) => chunk.error?.code)).toEqual(['context_length_exceeded'])
  expect(isDone).toBe(false)
})

test('a client that stops reading a stream cancels the node', async () => {
  const fake = node()
  let cancelled = false
  fake.generate = (request, emit, signal) => {
    emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [1], text: 'one' })
    signal.addEventListener('abort', () => {
      cancelled = true
    })
    return new Promise(() => {})
  }
  await using gateway = await startApp({ nodes: [fake] })
  const response = await gateway.chat({ ...base, stream: true })
  await response.body?.cancel()
  await settle()
  expect(cancelled).toBe(true)
  expect(gateway.dispatcher.counts()).toEqual({ waiting: 0, running: 0 })
})

test('models: loaded, on their way, and only on disk; ids with slashes can be asked for', async () => {
  const manifest = {} as never
  const fake = createFakeNode({
    id: 'a',
    models: [modelState('org/m:Q4'), modelState('loading', { status: 'loading' }), modelState('broken', { status: 'failed' })],
    localModels: [{ modelId: 'on-disk', path: '/models/x.gguf', sha256: null, manifest }],
  })
  await using gateway = await startApp({ nodes: [fake] })
  const list = (await (await gateway.app.request('/v1/models')).json()) as { object: string; data: Record<string, unknown>[] }
  expect(list.object).toBe('list')
  expect(list.data.map(({ id, status, context_length }) => [id, status, context_length])).toEqual([
    ['broken', { value: 'unloaded' }, null],
    ['loading', { value: 'loading' }, null],
    ['on-disk', { value: 'unloaded' }, null],
    ['org/m:Q4', { value: 'loaded' }, 4096],
    ['auto', { value: 'loaded' }, null],
  ])
  const one = await gateway.app.request('/v1/models/org/m:Q4')
  expect(await one.json()).toMatchObject({ id: 'org/m:Q4', object: 'model', owned_by: 'shoal' })
  expect((await gateway.app.request('/v1/models/org%2Fm%3AQ4')).status).toBe(200)
  expect((await gateway.app.request('/v1/models/nope')).status).toBe(404)
  const error = await errorOf(await gateway.chat({ ...base, model: 'on-disk' }))
  expect(error.message).toContain('Load it with: shoal deploy on-disk')
})

test('auto is a model while something can answer for it', async () => {
  const fake = createFakeNode({ id: 'a', models: [modelState('m', { status: 'loading' })] })
  await using gateway = await startApp({ nodes: [fake] })
  const ask = () => gateway.app.request('/v1/models/auto')
  expect((await ask()).status).toBe(404)
  fake.report({ models: [modelState('m')] })
  expect(await (await ask()).json()).toMatchObject({ id: 'auto', object: 'model', owned_by: 'shoal' })
})

test('health: alive always, ready when a model can answer, and not once the gateway goes down', async () => {
  const fake = createFakeNode({ id: 'a', models: [modelState('m', { status: 'loading' })] })
  await using gateway = await startApp({ nodes: [fake] })
  const statuses = () => Promise.all(['/livez', '/readyz', '/health'].map(async (path) => (await gateway.app.request(path)).status))
  expect(await statuses()).toEqual([200, 503, 503])
  fake.report({ models: [modelState('m')] })
  expect(await statuses()).toEqual([200, 200, 200])
  gateway.drain()
  expect(await statuses()).toEqual([200, 503, 503])
})

test('metrics count outcomes and name no model that a client made up', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  await gateway.chat(base)
  await gateway.chat({ ...base, model: 'made-up-by-a-client' })
  const text = await (await gateway.app.request('/metrics')).text()
  expect(text).toContain('shoal_gateway_requests_total{outcome="ok"} 1')
  expect(text).toContain('shoal_gateway_requests_total{outcome="model_unknown"} 1')
  expect(text).toContain('shoal_gateway_tokens_total{gen_ai_request_model="m",type="completion"} 2')
  expect(text).toContain('shoal_gateway_nodes{liveness="connected"} 1')
  expect(text).toMatch(/gen_ai_server_time_to_first_token_seconds_count\{[^}]*"m"\} 1/)
  expect(text).not.toContain('made-up')
})

test.each([
  ['GET', '/v1/chat/completions', 405, 'POST'],
  ['DELETE', '/v1/models/x/y', 405, 'GET'],
  ['PUT', '/shoal/v1/deployments', 405, 'GET, POST'],
  ['GET', '/v1/images/generations', 404, null],
  ['GET', '/', 404, null],
])('%s %s is %i, as JSON with all four keys', async (method, path, status, allow) => {
  await using gateway = await startApp({ nodes: [] })
  const response = await gateway.app.request(path, { method })
  expect(response.status).toBe(status)
  expect(response.headers.get('allow')).toBe(allow)
  const error = await errorOf(response)
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type'])
})

test('the nodes route shows the view as it is', async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const { nodes } = (await (await gateway.app.request('/shoal/v1/nodes')).json()) as { nodes: unknown[] }
  expect(nodes).toEqual(JSON.parse(JSON.stringify(gateway.nodes.view().nodes)))
  expect(nodes).toMatchObject([{ nodeId: 'a', liveness: 'connected', state: { models: [{ modelId: modelId('m') }] } }])
})

test("whatever bytes come as a body, the answer is the client's error or an answer, and quick", async () => {
  await using gateway = await startApp({ nodes: [node()] })
  const whole = JSON.stringify({ ...base, stop: ['x'], logit_bias: { 1: 1 }, temperature: 1 })
  const mutated = fc.tuple(fc.nat(whole.length - 1), fc.string({ maxLength: 8 }), fc.nat(8)).map(([at, text, drop]) => {
    return Buffer.from(whole.slice(0, at) + text + whole.slice(at + drop))
  })
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, fc.uint8Array({ maxLength: 64 })), async (body) => {
      const headers = { 'content-type': 'application/json' }
      const response = await gateway.app.request('/v1/chat/completions', { method: 'POST', headers, body: new Uint8Array(body) })
      expect(response.status).toBeLessThan(500)
      if (response.status !== 200) expect(Object.keys(await errorOf(response)).sort()).toEqual(['code', 'message', 'param', 'type'])
    }),
    { numRuns: 2000 },
  )
})
