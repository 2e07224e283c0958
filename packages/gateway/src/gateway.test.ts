import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { createFakeLog } from '@shoal/core/testing'
import { createMetrics, systemClock } from '@shoal/runtime'
import { expect, test } from 'vitest'
import { type Gateway, type GatewayOptions, startGateway } from './gateway.ts'
import { createFakeNode, type FakeNode, modelState, streamWords } from './testing/fake-node.ts'
import { readEvents } from './testing/read-events.ts'

const base = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const node = () => createFakeNode({ id: 'a', address: '127.0.0.1:7412', models: [modelState('m')] })

const start = (fake: FakeNode, change: Partial<GatewayOptions> = {}): Promise<Gateway> =>
  startGateway({
    ...{ host: '127.0.0.1', port: 0, peers: ['127.0.0.1:7412'], mdns: false, insecureLan: false },
    ...{ log: createFakeLog(), metrics: createMetrics(), clock: systemClock, connect: () => fake.connect() },
    ...change,
  })

const post = (gateway: Gateway, body: object, signal?: AbortSignal) =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  })

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`never came: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Accepts, says one word and stays until it is cancelled. */
const stay: FakeNode['generate'] = (request, emit) => {
  emit({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
  emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [1], text: 'one' })
  return new Promise(() => {})
}

test('answers over a real socket, streamed and not, on one connection', async () => {
  await using gateway = await start(node())
  expect(gateway.url).toBe(`http://127.0.0.1:${gateway.port}`)
  for (let round = 0; round < 3; round++) {
    const whole = (await (await post(gateway, base)).json()) as { choices: { message: { content: string } }[] }
    expect(whole.choices[0]?.message.content).toBe('Hello world')
    const response = await post(gateway, { ...base, stream: true, foo: 1 })
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...{ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
      'x-shoal-ignored': 'foo',
    })
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(readEvents(await response.text())).toMatchObject({ text: 'Hello world', isDone: true })
  }
})

test.each(['0.0.0.0', '192.168.1.5', '::', 'example.com'])('refuses to listen on %s', async (host) => {
  await expect(start(node(), { host })).rejects.toMatchObject({ code: 'USAGE' })
})

test('a port that is taken is named, and nothing is left running', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await expect(start(node(), { port })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  other.close()
})

test('a peer that cannot be read ends the start, and the port is free again', async () => {
  await using gateway = await start(node())
  const { port } = gateway
  await gateway[Symbol.asyncDispose]()
  await expect(start(node(), { port, peers: ['http://x'] })).rejects.toMatchObject({ code: 'USAGE' })
  await using again = await start(node(), { port })
  expect(again.port).toBe(port)
})

test('a peer beyond this machine is refused unless that was allowed', async () => {
  const peers = ['10.1.2.3:7412']
  await expect(start(node(), { peers })).rejects.toMatchObject({ code: 'USAGE', param: 'peer' })
  const open = await start(node(), { peers, insecureLan: true })
  await open[Symbol.asyncDispose]()
})

test.each([true, false])('a client that goes away cancels its request (stream: %s)', async (stream) => {
  const fake = node()
  fake.generate = stay
  await using gateway = await start(fake)
  const stop = new AbortController()
  const response = post(gateway, { ...base, stream }, stop.signal)
  response.catch(() => undefined)
  await until(() => fake.running === 1, 'the request')
  if (stream) await response
  stop.abort()
  await until(() => fake.running === 0, 'the cancellation')
})

test('a client that closes its socket while its request waits in the queue leaves no trace', async () => {
  const fake = createFakeNode({ id: 'a', address: '127.0.0.1:7412', models: [modelState('m', { slotsTotal: 1 })] })
  fake.generate = stay
  await using gateway = await start(fake)
  const [first, second] = [new AbortController(), new AbortController()]
  const running = post(gateway, { ...base, stream: true }, first.signal)
  await until(() => fake.running === 1, 'the first request')
  const waiting = post(gateway, base, second.signal)
  waiting.catch(() => undefined)
  const metric = async () => /shoal_gateway_queue_length (\d+)/.exec(await (await fetch(`${gateway.url}/metrics`)).text())?.[1]
  while ((await metric()) !== '1') await new Promise((resolve) => setTimeout(resolve, 5))
  second.abort()
  while ((await metric()) !== '0') await new Promise((resolve) => setTimeout(resolve, 5))
  expect(fake.requests).toHaveLength(1)
  first.abort()
  await running.catch(() => undefined)
})

test('a body that never comes whole costs no node anything', async () => {
  const fake = node()
  await using gateway = await start(fake)
  const socket = connect(gateway.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"model":',
  )
  socket.destroy()
  expect((await post(gateway, base)).status).toBe(200)
  expect(fake.requests).toHaveLength(1)
})

test('a page in a browser that resolves its own name to this machine gets nothing, whatever it asks for', async () => {
  const fake = node()
  await using gateway = await start(fake)
  const ask = async (method: string, path: string, host: string) => {
    const headers = { host, 'content-type': 'application/json', origin: `http://${host}` }
    const sent = request({ host: '127.0.0.1', port: gateway.port, method, path, headers, agent: false })
    sent.end(method === 'POST' ? JSON.stringify(base) : undefined)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return { response, text: await readText(response) }
  }
  const paths = [
    'POST /v1/chat/completions',
    'GET /v1/models',
    'GET /shoal/v1/nodes',
    'GET /metrics',
    'DELETE /shoal/v1/deployments/x',
    'GET /',
  ]
  for (const [method = '', path = ''] of paths.map((each) => each.split(' '))) {
    const { response, text } = await ask(method, path, `evil.example:${gateway.port}`)
    expect(response.statusCode, path).toBe(403)
    expect(response.headers['access-control-allow-origin']).toBeUndefined()
    const { error } = JSON.parse(text) as { error: Record<string, unknown> }
    expect(error).toEqual({ message: error.message, type: 'invalid_request_error', param: null, code: 'host_not_allowed' })
    expect(error.message).toContain('127.0.0.1')
  }
  expect(fake.requests).toHaveLength(0)
  expect((await ask('POST', '/v1/chat/completions', `localhost:${gateway.port}`)).response.statusCode).toBe(200)
})

test('a chunked body beyond the limit is refused while it comes', async () => {
  await using gateway = await start(node())
  const piece = new Uint8Array(1024 * 1024).fill(0x20)
  let sent = 0
  const body = new ReadableStream({
    pull(controller) {
      sent++
      if (sent > 200) controller.close()
      else controller.enqueue(piece)
    },
  })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' } as RequestInit
  // The server may close the connection while the client still sends: both ends of that are right.
  const status = await fetch(`${gateway.url}/v1/chat/completions`, init).then(
    (response) => response.status,
    () => 413,
  )
  expect(status).toBe(413)
  expect(sent).toBeLessThan(150)
  expect((await post(gateway, base)).status).toBe(200)
})

test('a reader that stops costs a bounded amount and nobody else', async () => {
  const fake = node()
  const word = 'x'.repeat(1000)
  let emitted = 0
  let cancelled = false
  fake.generate = async (request, emit, signal) => {
    if (request.tokensMax === 1) return await streamWords(['fine'])(request, emit, signal)
    emit({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
    while (!signal.aborted) {
      emit({ kind: 'tokens', epoch: request.epoch, seq: emitted++, tokenIds: [1], text: word })
      await new Promise((resolve) => setImmediate(resolve))
    }
    cancelled = true
  }
  await using gateway = await start(fake)
  const socket = connect(gateway.port, '127.0.0.1')
  const body = JSON.stringify({ ...base, stream: true })
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  socket.pause()
  await until(() => emitted > 10, 'the stream')
  expect((await post(gateway, { ...base, max_tokens: 1 })).status).toBe(200)
  await until(() => cancelled, 'the end of the stalled stream')
  // What the two kernels' socket buffers hold on loopback, and 64 KiB here.
  expect(emitted * word.length).toBeLessThan(32 * 1024 * 1024)
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  socket.resume()
  await until(() => text.includes('"code":"slow_reader"'), 'the error event')
  expect(text).not.toContain('[DONE]')
  socket.destroy()
})

test('going down: not ready at once, running answers finish, then the port closes', async () => {
  const fake = node()
  let finish = () => {}
  fake.generate = async (request, emit) => {
    emit({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    await streamWords(['late'])(request, emit, new AbortController().signal)
  }
  const gateway = await start(fake)
  const response = await post(gateway, { ...base, stream: true })
  const down = gateway[Symbol.asyncDispose]()
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503)
  expect((await post(gateway, base)).status).toBe(503)
  finish()
  expect(readEvents(await response.text())).toMatchObject({ text: 'late', isDone: true })
  await down
  await expect(fetch(`${gateway.url}/livez`)).rejects.toThrow()
})

test('an answer that does not finish in time ends in an explicit error', async () => {
  const fake = node()
  fake.generate = stay
  const gateway = await start(fake, { drainMs: 50 })
  const response = await post(gateway, { ...base, stream: true })
  const down = gateway[Symbol.asyncDispose]()
  const { chunks, isDone } = readEvents(await response.text())
  expect(chunks.at(-1)?.error?.code).toBe('node_draining')
  expect(isDone).toBe(false)
  await down
})
