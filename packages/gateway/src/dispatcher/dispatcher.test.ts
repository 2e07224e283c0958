import { defaultSampling, modelId, requestId, ShoalError } from '@shoal/core'
import { createFakeLog, createManualClock } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import { createNodeRegistry } from '../nodes/node-registry.ts'
import { createFakeNode, type FakeNode, modelState, streamWords } from '../testing/fake-node.ts'
import { createDispatcher } from './dispatcher.ts'
import type { AcceptedFacts, Work } from './job.ts'

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
let unique = 0

const work = (change: Partial<Work> = {}): Work => ({
  requestId: requestId(`request-${++unique}`),
  model: modelId('m'),
  messages: [{ role: 'user', content: 'hi' }],
  sampling: defaultSampling,
  tokensMax: null,
  thinking: false,
  stops: [],
  ...change,
})

async function startCluster(fakes: readonly FakeNode[], queueMax = 10) {
  const clock = createManualClock()
  const log = createFakeLog()
  const connect = (address: string) => fakes.find((fake) => fake.address === address)?.connect() ?? fakes[0]?.connect()
  const nodes = createNodeRegistry({
    clock,
    log,
    random: () => 1,
    connect: (address) => connect(address) ?? createFakeNode({ id: 'x' }).connect(),
  })
  const dispatcher = createDispatcher({ ports: { clock, log }, nodes, routing: { queueMax } })
  nodes.setCandidates(fakes.map(({ address }) => ({ key: address, addresses: [address] })))
  await settle()
  const ask = (change: Partial<Work> = {}) => {
    const stop = new AbortController()
    const texts: string[] = []
    const accepted: AcceptedFacts[] = []
    const output = { onAccepted: (facts: AcceptedFacts) => accepted.push(facts), onText: (text: string) => texts.push(text) }
    const answer = dispatcher.run(work(change), output, stop.signal)
    answer.catch(() => undefined)
    return { answer, texts, accepted, leave: () => stop.abort() }
  }
  return {
    ...{ clock, log, nodes, dispatcher, ask },
    async [Symbol.asyncDispose]() {
      await dispatcher[Symbol.asyncDispose]()
      await nodes[Symbol.asyncDispose]()
    },
  }
}

const node = (id: string, slotsTotal = 4) => createFakeNode({ id, models: [modelState('m', { slotsTotal })] })
/** Accepts, then stays until it is cancelled. */
const hang: FakeNode['generate'] = (_request, emit) => {
  emit({ kind: 'accepted', promptTokens: 7, cachedTokens: 0, promptTokenIds: [] })
  return new Promise(() => {})
}
const fail =
  (code: ShoalError['code']): FakeNode['generate'] =>
  () =>
    Promise.reject(new ShoalError({ code, message: `fails with ${code}` }))

test('an answer arrives as text and ends with its usage', async () => {
  await using cluster = await startCluster([node('a')])
  const { answer, texts, accepted } = cluster.ask()
  expect(await answer).toEqual({ modelId: 'm', promptTokens: 7, cachedTokens: 3, completionTokens: 2, finishReason: 'stop' })
  expect(texts).toEqual(['Hello', ' world'])
  expect(accepted).toEqual([{ modelId: 'm', promptTokens: 7, cachedTokens: 3 }])
})

test.each(['NODE_BUSY', 'NODE_DRAINING', 'MODEL_UNKNOWN', 'NODE_LOST', 'ENGINE_UNAVAILABLE', 'ENGINE_CRASHED'] as const)(
  'a node that answers %s before the first token is passed over for another one',
  async (code) => {
    const [bad, good] = [node('a', 8), node('b', 8)]
    bad.generate = fail(code)
    await using cluster = await startCluster([bad, good])
    const texts = await Promise.all([1, 2, 3].map(async () => (await cluster.ask().answer).finishReason))
    expect(texts).toEqual(['stop', 'stop', 'stop'])
    expect(bad.requests.length).toBeGreaterThan(0)
    expect(good.requests).toHaveLength(3)
  },
)

test('a request waits for an engine that is being replaced', async () => {
  const fake = node('a')
  fake.generate = fail('ENGINE_UNAVAILABLE')
  await using cluster = await startCluster([fake])
  const { answer } = cluster.ask()
  await settle()
  expect(cluster.dispatcher.counts()).toEqual({ waiting: 1, running: 0 })
  fake.report({ models: [modelState('m', { status: 'restarting' })] })
  fake.generate = streamWords(['back'])
  await settle()
  expect(cluster.dispatcher.counts()).toEqual({ waiting: 1, running: 0 })
  fake.report({ models: [modelState('m')] })
  expect((await answer).finishReason).toBe('stop')
})

test('after three failed attempts the client gets the error of the last one', async () => {
  const fakes = ['a', 'b', 'c', 'd', 'e'].map((id) => node(id))
  for (const fake of fakes) fake.generate = fail('ENGINE_CRASHED')
  await using cluster = await startCluster(fakes)
  await expect(cluster.ask().answer).rejects.toMatchObject({ code: 'ENGINE_CRASHED', message: 'fails with ENGINE_CRASHED' })
  expect(fakes.flatMap((fake) => fake.requests.map(({ epoch }) => epoch))).toHaveLength(3)
})

test.each(['CONTEXT_LENGTH_EXCEEDED', 'INVALID_REQUEST'] as const)("%s is the client's own and tried nowhere else", async (code) => {
  const fakes = [node('a'), node('b')]
  for (const fake of fakes) fake.generate = fail(code)
  await using cluster = await startCluster(fakes)
  await expect(cluster.ask().answer).rejects.toMatchObject({ code })
  expect(fakes.flatMap((fake) => fake.requests)).toHaveLength(1)
})

test('a stream that breaks in the middle ends in an explicit error and is not begun anew', async () => {
  const fakes = [node('a'), node('b')]
  for (const fake of fakes) {
    fake.generate = (request, emit) => {
      emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [1], text: 'half' })
      return Promise.reject(new ShoalError({ code: 'ENGINE_CRASHED', message: 'gone' }))
    }
  }
  await using cluster = await startCluster(fakes)
  const { answer, texts } = cluster.ask()
  await expect(answer).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })
  expect(texts).toEqual(['half'])
  expect(fakes.flatMap((fake) => fake.requests)).toHaveLength(1)
})

test('a node that is lost without a word ends its requests at once; those without a token go elsewhere', async () => {
  const [lost, other] = [node('a', 1), node('b', 1)]
  lost.generate = hang
  other.generate = hang
  await using cluster = await startCluster([lost, other])
  const first = cluster.ask()
  const second = cluster.ask()
  const third = cluster.ask()
  await settle()
  other.generate = streamWords(['from b'])
  lost.kill()
  await settle()
  second.leave()
  await settle()
  expect((await first.answer).finishReason).toBe('stop')
  expect((await third.answer).finishReason).toBe('stop')
  expect(first.texts).toEqual(['from b'])
  await expect(second.answer).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('frames of an earlier attempt are dropped', async () => {
  const [slow, other] = [node('a'), node('b')]
  let late = () => {}
  slow.generate = (request, emit) => {
    late = () => emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [66], text: 'stale' })
    return Promise.reject(new ShoalError({ code: 'NODE_LOST', message: 'gone' }))
  }
  other.generate = async (request, emit) => {
    late()
    await streamWords(['fresh'])(request, emit, new AbortController().signal)
  }
  await using cluster = await startCluster([slow, other])
  const { answer, texts } = cluster.ask()
  expect(await answer).toMatchObject({ completionTokens: 1 })
  expect(texts).toEqual(['fresh'])
  expect(other.requests.map(({ epoch }) => epoch)).toEqual([2])
})

test('a stream that leaves tokens out is stopped, and nothing after the gap is shown', async () => {
  const fake = node('a')
  fake.generate = (request, emit, signal) => {
    emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [1], text: 'one' })
    emit({ kind: 'tokens', epoch: request.epoch, seq: 2, tokenIds: [3], text: 'three' })
    emit({ kind: 'finished', reason: 'stop', completionTokens: 3 })
    return new Promise((_resolve, reject) => {
      if (signal.aborted) reject(new ShoalError({ code: 'CANCELLED', message: 'stopped' }))
    })
  }
  await using cluster = await startCluster([fake])
  const { answer, texts } = cluster.ask()
  await expect(answer).rejects.toMatchObject({ code: 'NODE_LOST' })
  expect(texts).toEqual(['one'])
})

test('a stream that ends without its end mark is an error, not an answer', async () => {
  const fake = node('a')
  fake.generate = (request, emit) => {
    emit({ kind: 'tokens', epoch: request.epoch, seq: 0, tokenIds: [1], text: 'one' })
    return Promise.resolve()
  }
  await using cluster = await startCluster([fake])
  await expect(cluster.ask().answer).rejects.toMatchObject({ code: 'NODE_LOST' })
})

test('a stop string ends the answer and stops the node; the string itself is not shown', async () => {
  const fake = node('a')
  let stopped = false
  fake.generate = async (request, emit, signal) => {
    signal.addEventListener('abort', () => {
      stopped = true
    })
    await streamWords(['one S', 'TO', 'P two'])(request, emit, signal)
    return new Promise(() => {})
  }
  await using cluster = await startCluster([fake])
  const { answer, texts } = cluster.ask({ stops: ['STOP'] })
  expect(await answer).toMatchObject({ finishReason: 'stop', completionTokens: 3 })
  expect(texts.join('')).toBe('one ')
  await settle()
  expect(stopped).toBe(true)
  expect(cluster.dispatcher.counts()).toEqual({ waiting: 0, running: 0 })
})

test('a client that leaves cancels the node at once, and the slot goes to the next in the queue', async () => {
  const fake = node('a', 1)
  fake.generate = hang
  await using cluster = await startCluster([fake])
  const first = cluster.ask()
  const second = cluster.ask()
  await settle()
  expect(cluster.dispatcher.counts()).toEqual({ waiting: 1, running: 1 })
  fake.generate = streamWords(['next'])
  first.leave()
  await expect(first.answer).rejects.toMatchObject({ code: 'CANCELLED' })
  expect((await second.answer).finishReason).toBe('stop')
  await settle()
  expect(fake.running).toBe(0)
})

test('a client that leaves the queue takes nobody else with it', async () => {
  const fake = node('a', 1)
  fake.generate = hang
  await using cluster = await startCluster([fake])
  const first = cluster.ask()
  const leaver = cluster.ask()
  const third = cluster.ask()
  await settle()
  leaver.leave()
  await expect(leaver.answer).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(cluster.dispatcher.counts()).toEqual({ waiting: 1, running: 1 })
  expect(fake.requests).toHaveLength(1)
  fake.generate = streamWords(['third'])
  first.leave()
  expect((await third.answer).finishReason).toBe('stop')
})

test('more than the queue holds are refused with a time to come back', async () => {
  const fake = node('a', 1)
  fake.generate = hang
  await using cluster = await startCluster([fake], 2)
  for (let count = 0; count < 3; count++) cluster.ask()
  const refused = await cluster.ask().answer.catch((error: unknown) => ShoalError.from(error))
  expect(refused).toMatchObject({ code: 'QUEUE_FULL' })
  expect((refused as ShoalError).retryAfterMs).toBeGreaterThanOrEqual(1000)
})

test('who waits too long is told so', async () => {
  const fake = node('a', 1)
  fake.generate = hang
  await using cluster = await startCluster([fake])
  cluster.ask()
  const waiting = cluster.ask()
  for (let second = 0; second < 125; second++) {
    cluster.clock.advance(500)
    fake.beat()
    cluster.clock.advance(500)
    fake.beat()
  }
  await expect(waiting.answer).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
})

test('a model nobody has is a 404 that names those that are there', async () => {
  await using cluster = await startCluster([node('a')])
  const error = await cluster.ask({ model: modelId('nope') }).answer.catch((thrown: unknown) => ShoalError.from(thrown))
  expect(error).toMatchObject({ code: 'MODEL_UNKNOWN', param: 'model' })
  expect((error as ShoalError).message).toContain('Available: m')
})

test('requests for auto are spread over the nodes', async () => {
  const fakes = [node('a'), node('b')]
  await using cluster = await startCluster(fakes)
  for (const fake of fakes) fake.generate = hang
  for (let count = 0; count < 8; count++) cluster.ask({ model: 'auto' })
  await settle()
  expect(fakes.map((fake) => fake.requests.length)).toEqual([4, 4])
})

test('closing ends what waits and what runs with an explicit error', async () => {
  const fake = node('a', 1)
  fake.generate = hang
  const cluster = await startCluster([fake])
  const asked = [cluster.ask(), cluster.ask()]
  await settle()
  await cluster[Symbol.asyncDispose]()
  for (const { answer } of asked) await expect(answer).rejects.toMatchObject({ code: 'NODE_DRAINING' })
  await settle()
  expect(fake.running).toBe(0)
})

test.each([
  ['CONTEXT_LENGTH_EXCEEDED', 'debug'],
  ['ENGINE_STUCK', 'warn'],
] as const)('an attempt that ends with %s is a line at level %s', async (code, level) => {
  const fake = node('a')
  fake.generate = () => Promise.reject(new ShoalError({ code, message: 'no' }))
  await using cluster = await startCluster([fake])
  await expect(cluster.ask().answer).rejects.toMatchObject({ code })
  expect(cluster.log.entries.filter(({ message }) => message === 'attempt failed')).toMatchObject([{ level, fields: { code } }])
})
