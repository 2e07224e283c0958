import { connect as connectSocket } from 'node:net'
import { defaultSampling, type InferenceRequest, modelId, type NodeApi, requestId, ShoalError } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { describe, expect, test } from 'vitest'
import { createNodeClient } from '../client/node-client.ts'
import { createFakeNodeApi } from '../testing/fake-node-api.ts'
import { isLoopbackHost } from './listen-address.ts'
import { type NodeServerOptions, startNodeServer } from './node-server.ts'

const never = () => new AbortController().signal
const request: InferenceRequest = {
  requestId: requestId('r'),
  modelId: modelId('m'),
  epoch: 0,
  messages: [],
  sampling: defaultSampling,
  tokensMax: 5,
  thinking: false,
}

const start = (change: Partial<NodeServerOptions> = {}) =>
  startNodeServer({
    api: createFakeNodeApi(),
    host: '127.0.0.1',
    port: 0,
    log: createFakeLog(),
    allowInsecureNonLoopback: false,
    ...change,
  })
const connect = (port: number, host = '127.0.0.1') => createNodeClient({ address: `${host}:${port}`, log: createFakeLog() })

describe('where a node listens', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['192.168.1.5', false],
    ['127.example.org', false],
    ['localhost.example.org', false],
    ['', false],
  ])('%s is loopback: %s', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected)
  })

  test('beyond loopback only when it was asked for by its name', async () => {
    await expect(start({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'USAGE', remedy: expect.stringContaining('--insecure-lan') })
  })

  test('beyond loopback it warns and serves', async () => {
    const log = createFakeLog()
    await using server = await start({ host: '0.0.0.0', allowInsecureNonLoopback: true, log })
    await using client = connect(server.port)
    expect(await client.describe(never())).toMatchObject({ nodeId: 'f'.repeat(32) })
    expect(log.entries.filter((entry) => entry.level === 'warn')).toHaveLength(1)
  })

  test('localhost serves whatever the name means here', async () => {
    await using server = await start({ host: 'localhost' })
    await using client = connect(server.port, 'localhost')
    expect(await client.describe(never())).toMatchObject({ nodeId: 'f'.repeat(32) })
  })

  test('a port in use is PORT_IN_USE and named', async () => {
    await using server = await start()
    await expect(start({ port: server.port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(server.port)),
      remedy: expect.stringMatching(/another port with --agent-port .*--name/),
    })
  })

  test('an address this machine does not have is USAGE with the remedy', async () => {
    // 192.0.2.0/24 is reserved for documentation (RFC 5737).
    await expect(start({ host: '192.0.2.1', allowInsecureNonLoopback: true })).rejects.toMatchObject({
      code: 'USAGE',
      remedy: expect.stringContaining('interfaces'),
    })
  })

  test('a name that does not resolve is USAGE', async () => {
    await expect(start({ host: 'no-such-host.invalid', allowInsecureNonLoopback: true })).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('a server that stops', () => {
  test('ends watches well, lets a generation finish and refuses new calls', async () => {
    const go = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const generate: NodeApi['generate'] = async (_request, onEvent) => {
      begun.resolve()
      await go.promise
      onEvent({ kind: 'finished', reason: 'stop', completionTokens: 0 })
    }
    const server = await start({ api: createFakeNodeApi({ generate }), stopGraceMs: 20_000 })
    await using client = connect(server.port)
    const watch = client.watch({ heartbeatMs: 1000 }, () => {}, never())
    const generation = client.generate(request, () => {}, never())
    await begun.promise
    const stopped = server[Symbol.asyncDispose]()
    await watch
    go.resolve()
    await generation
    await stopped
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST' })
  })

  test('cuts what does not end in time with an error, and tells the handler', async () => {
    const begun = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    const generate: NodeApi['generate'] = (_request, _onEvent, signal) => {
      signal.addEventListener('abort', () => told.resolve())
      begun.resolve()
      return new Promise<void>(() => {})
    }
    const server = await start({ api: createFakeNodeApi({ generate }), stopGraceMs: 50 })
    await using client = connect(server.port)
    const outcome = expect(client.generate(request, () => {}, never())).rejects.toMatchObject({ code: 'NODE_DRAINING' })
    await begun.promise
    const startedMs = performance.now()
    await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()])
    expect(performance.now() - startedMs).toBeLessThan(2000)
    await outcome
    await told.promise
  })

  test('frees its port', async () => {
    const server = await start()
    await server[Symbol.asyncDispose]()
    await using again = await start({ port: server.port })
    expect(again.port).toBe(server.port)
  })
})

test.each([
  ['noise', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 131) % 251))],
  ['a request of HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')],
  ['a greeting of HTTP/2 and then noise', Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\u0007'.repeat(500)}`)],
])('%s on the port harms nobody', async (_name, bytes) => {
  await using server = await start()
  await using client = connect(server.port)
  await client.describe(never())
  const socket = connectSocket(server.port, '127.0.0.1').on('error', () => {})
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.resume().write(bytes)
  await closed
  expect(await client.describe(never())).toMatchObject({ nodeId: 'f'.repeat(32) })
})

describe('limits on messages', () => {
  test('a request beyond the limit is refused before it leaves, and the connection goes on', async () => {
    await using server = await start()
    await using client = connect(server.port)
    const huge = { ...request, messages: [{ role: 'user' as const, content: 'x'.repeat(41 * 1024 * 1024) }] }
    await expect(client.generate(huge, () => {}, never())).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
    await client.generate(request, () => {}, never())
  })

  test('the largest request that a gateway lets in arrives', async () => {
    const content = 'x'.repeat(32 * 1024 * 1024)
    let length = 0
    const generate: NodeApi['generate'] = async (received, onEvent) => {
      length = received.messages[0]?.content.length ?? 0
      onEvent({ kind: 'finished', reason: 'stop', completionTokens: 0 })
    }
    await using server = await start({ api: createFakeNodeApi({ generate }) })
    await using client = connect(server.port)
    await client.generate({ ...request, messages: [{ role: 'user', content }] }, () => {}, never())
    expect(length).toBe(content.length)
  })

  test('an answer beyond the limit is an error and not a broken connection', async () => {
    const description = createFakeNodeApi().description
    const shoalVersion = 'x'.repeat(17 * 1024 * 1024)
    await using server = await start({ api: createFakeNodeApi({ describe: async () => ({ ...description, shoalVersion }) }) })
    await using client = connect(server.port)
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' })
    await client.generate(request, () => {}, never())
  })
})

test('a defect of a handler is logged here and only named there', async () => {
  const log = createFakeLog()
  const unloadModel = () => Promise.reject(new TypeError('x is not a function'))
  await using server = await start({ api: createFakeNodeApi({ unloadModel }), log })
  await using client = connect(server.port)
  const failure: unknown = await client.unloadModel(modelId('m'), never()).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(ShoalError)
  expect(failure).toMatchObject({ code: 'INTERNAL', message: 'unloadModel failed inside the node' })
  const [entry] = log.entries.filter((one) => one.level === 'error')
  expect(entry?.fields).toMatchObject({ method: 'unloadModel', err: expect.any(TypeError) })
})
