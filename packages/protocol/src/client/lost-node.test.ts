import { createServer, type Server } from 'node:net'
import { defaultSampling, type GenerateEvent, type InferenceRequest, modelId, requestId } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { describe, expect, test } from 'vitest'
import { startNodeServer } from '../server/node-server.ts'
import { createFakeNodeApi } from '../testing/fake-node-api.ts'
import { startFakeNodeProcess } from '../testing/fake-node-process.ts'
import { createNodeClient, type NodeClientOptions } from './node-client.ts'

const log = createFakeLog()
const never = () => new AbortController().signal
const endless: InferenceRequest = {
  requestId: requestId('r'),
  modelId: modelId('m'),
  epoch: 0,
  messages: [],
  sampling: defaultSampling,
  tokensMax: 1e9,
  thinking: false,
}
const connect = (port: number, options: Partial<NodeClientOptions> = {}) =>
  createNodeClient({ address: `127.0.0.1:${port}`, log, ...options })

/** Resolves with the first event; the generation itself goes on. */
function begin(client: ReturnType<typeof connect>, signal = never()) {
  const first = Promise.withResolvers<GenerateEvent>()
  const ended = client.generate(endless, first.resolve, signal)
  return { first: first.promise, ended }
}

describe('a node that goes away', () => {
  test('a frozen process is noticed within 2.5 s although its connection stands, and serves again when it wakes', async () => {
    await using node = await startFakeNodeProcess()
    await using client = connect(node.port, { connectTimeoutMs: 500 })
    const watch = client.watch({ heartbeatMs: 1000 }, () => {}, never())
    const { first, ended } = begin(client)
    const outcomes = Promise.allSettled([watch, ended])
    await first
    node.signal('SIGSTOP')
    const frozenMs = performance.now()
    const [watched, generated] = await outcomes
    const noticedMs = performance.now() - frozenMs
    expect(watched).toMatchObject({ status: 'rejected', reason: { code: 'NODE_LOST' } })
    expect(generated).toMatchObject({ status: 'rejected', reason: { code: 'NODE_LOST' } })
    expect(noticedMs).toBeGreaterThan(900)
    expect(noticedMs).toBeLessThan(2500)

    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST' })
    node.signal('SIGCONT')
    await expect
      .poll(() =>
        client.describe(never()).then(
          (answer) => answer.nodeId,
          () => null,
        ),
      )
      .toBe('f'.repeat(32))
  })

  test('a killed process is noticed at once, and found again on its port', async () => {
    const node = await startFakeNodeProcess()
    await using client = connect(node.port)
    const { first, ended } = begin(client)
    const outcome = expect(ended).rejects.toMatchObject({ code: 'NODE_LOST' })
    await first
    const killedMs = performance.now()
    node.signal('SIGKILL')
    await outcome
    expect(performance.now() - killedMs).toBeLessThan(500)
    await node[Symbol.asyncDispose]()
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST' })

    await using again = await startFakeNodeProcess(node.port)
    expect(again.port).toBe(node.port)
    await expect
      .poll(
        () =>
          client.describe(never()).then(
            (answer) => answer.nodeId,
            () => null,
          ),
        { timeout: 3000 },
      )
      .toBe('f'.repeat(32))
  })

  test('a process of ours that stands still for longer than the limit does not lose its nodes', async () => {
    await using node = await startFakeNodeProcess()
    await using client = connect(node.port, { keepalive: { timeMs: 100, timeoutMs: 700 } })
    const states: number[] = []
    const leave = new AbortController()
    const watch = client.watch({ heartbeatMs: 1000 }, (state) => states.push(state.version), leave.signal)
    const outcome = expect(watch).rejects.toMatchObject({ code: 'CANCELLED' })
    await client.describe(never())
    for (let pause = 0; pause < 2; pause += 1) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)
      await client.describe(never())
    }
    expect(states).toStrictEqual([1])
    leave.abort()
    await outcome
  })

  test('pings in quick succession are tolerated: a quiet watch outlives hundreds of them', async () => {
    await using node = await startFakeNodeProcess()
    await using client = connect(node.port, { keepalive: { timeMs: 2, timeoutMs: 2000 } })
    const watch = client.watch({ heartbeatMs: 1000 }, () => {}, AbortSignal.timeout(1500))
    await expect(watch).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })
})

describe('an address without a node', () => {
  async function listen(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  test('a closed port is NODE_LOST at once', async () => {
    const server = createServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    await using client = connect(port)
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST', message: expect.stringContaining('ECONNREFUSED') })
  })

  test('a port that accepts and says nothing is NODE_LOST when the limit for connecting is over', async () => {
    const server = createServer()
    const port = await listen(server)
    await using client = connect(port, { connectTimeoutMs: 200 })
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST', remedy: expect.stringContaining('firewall') })
    server.close()
  })

  test('a server of another protocol is NODE_LOST', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const port = await listen(server)
    await using client = connect(port, { connectTimeoutMs: 1000 })
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST' })
    server.close()
  })

  test('a name that does not exist is NODE_LOST', async () => {
    await using client = createNodeClient({ address: 'no-such-host.invalid:7420', log, connectTimeoutMs: 5000 })
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'NODE_LOST' })
  })
})

describe('many calls on one connection', () => {
  test('fifteen hundred cancelled requests leave the others alone', async () => {
    const api = createFakeNodeApi()
    await using server = await startNodeServer({ api, host: '127.0.0.1', port: 0, log, allowInsecureNonLoopback: false })
    await using client = connect(server.port)
    const leave = new AbortController()
    const { first, ended } = begin(client, leave.signal)
    const outcome = expect(ended).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringContaining('was cancelled') })
    await first
    const codes = new Map<unknown, number>()
    for (let round = 0; round < 15; round += 1) {
      const calls = Array.from({ length: 100 }, async () => {
        const cancel = new AbortController()
        const failure: unknown = await client.generate(endless, () => cancel.abort(), cancel.signal).catch((error: unknown) => error)
        const code = failure instanceof Error && 'code' in failure ? failure.code : failure
        codes.set(code, (codes.get(code) ?? 0) + 1)
      })
      await Promise.all(calls)
    }
    expect([...codes]).toStrictEqual([['CANCELLED', 1500]])
    await expect.poll(() => api.running).toBe(1)
    leave.abort()
    await outcome
  })

  test('three thousand calls at once are all answered', async () => {
    const api = createFakeNodeApi()
    await using server = await startNodeServer({ api, host: '127.0.0.1', port: 0, log, allowInsecureNonLoopback: false })
    await using client = connect(server.port)
    let finished = 0
    const count = (event: GenerateEvent) => {
      if (event.kind === 'finished') finished += 1
    }
    await Promise.all(Array.from({ length: 3000 }, () => client.generate({ ...endless, tokensMax: 1 }, count, never())))
    expect(finished).toBe(3000)
  })
})
