import {
  defaultSampling,
  type ErrorCode,
  errorTable,
  type GenerateEvent,
  type InferenceRequest,
  type LoadModelCommand,
  modelId,
  type NodeApi,
  type NodeState,
  requestId,
  ShoalError,
} from '@shoal/core'
import { describe, expect, test } from 'vitest'
import type { NodeClient } from '../client/node-client.ts'
import { createFakeNodeApi, fakeModelState, fakeTokenText } from './fake-node-api.ts'

/** A client whose other end serves `api`; disposing it takes all down that was made for it. */
export type ConnectNodeApi = (api: NodeApi) => Promise<NodeClient>

/** What every way to reach a node promises, whatever carries the calls. */
export function describeNodeApiContract(name: string, connect: ConnectNodeApi): void {
  describe(`${name}: a NodeApi at the other end of a transport`, () => {
    describeQuestions(connect)
    describeWatch(connect)
    describeGenerate(connect)
    describeErrors(connect)
    describeCancelling(connect)
  })
}

const never = () => new AbortController().signal
const request = (change: Partial<InferenceRequest> = {}): InferenceRequest => ({
  requestId: requestId('r1'),
  modelId: modelId('m'),
  epoch: 2,
  messages: [{ role: 'user', content: 'hello' }],
  sampling: defaultSampling,
  tokensMax: 20,
  thinking: false,
  ...change,
})
const command: LoadModelCommand = { modelId: modelId('m'), source: { kind: 'demo' }, contextTokens: 512, slots: 2 }

/** Resolves at once when the handler of the other end sees its signal fire. */
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })

/** A node whose generate says that it began, and when it was told to stop. */
function createEndlessNode() {
  const begun = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  const api = createFakeNodeApi({
    async generate(_request, onEvent, signal) {
      onEvent({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [7] })
      begun.resolve()
      await aborted(signal)
      stopped.resolve()
      onEvent({ kind: 'tokens', epoch: 2, seq: 0, tokenIds: [1], text: 'too late' })
      throw new ShoalError({ code: 'CANCELLED', message: 'stopped' })
    },
  })
  return { api, begun: begun.promise, stopped: stopped.promise }
}

const textOf = (events: readonly GenerateEvent[]) => events.map((event) => (event.kind === 'tokens' ? event.text : '')).join('')
const idsOf = (events: readonly GenerateEvent[]) => events.flatMap((event) => (event.kind === 'tokens' ? event.tokenIds : []))

/** The promise of every stream: `accepted`, then tokens without gap or repetition, then `finished`. */
function expectWholeStream(events: readonly GenerateEvent[]): void {
  expect(events[0]?.kind).toBe('accepted')
  expect(events.at(-1)?.kind).toBe('finished')
  let seq = 0
  for (const event of events) {
    if (event.kind !== 'tokens') continue
    expect(event.seq).toBe(seq)
    seq += event.tokenIds.length
  }
}

function describeQuestions(connect: ConnectNodeApi): void {
  test('describe, loadModel, unloadModel and drain bring the answers of the node', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    expect(await client.describe(never())).toStrictEqual(api.description)

    const progress: (number | null)[] = []
    const loaded = await client.loadModel(command, (state) => progress.push(state.progress), never())
    expect(progress).toStrictEqual([0.5])
    expect(loaded).toStrictEqual(fakeModelState('m', { contextTokens: 512, slotsTotal: 2 }))
    expect(api.state.models).toStrictEqual([loaded])

    await client.unloadModel(modelId('m'), never())
    expect(api.state.models).toStrictEqual([])
    expect(await client.drain({ deadlineMs: 1000 }, never())).toStrictEqual({ unfinished: 0 })
  })

  test('a drain without a deadline is a drain with the longest there is', async () => {
    const deadlines: number[] = []
    const drain: NodeApi['drain'] = async ({ deadlineMs }) => {
      deadlines.push(deadlineMs)
      return { unfinished: 3 }
    }
    await using client = await connect(createFakeNodeApi({ drain }))
    expect(await client.drain({ deadlineMs: Number.POSITIVE_INFINITY }, never())).toStrictEqual({ unfinished: 3 })
    expect(await client.drain({ deadlineMs: 0.5 }, never())).toStrictEqual({ unfinished: 3 })
    expect(deadlines).toStrictEqual([2 ** 32 - 1, 1])
  })
}

function describeWatch(connect: ConnectNodeApi): void {
  test('watch brings the state at once and after a change, and ends when the node leaves', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    const states: NodeState[] = []
    await client.watch(
      { heartbeatMs: 1000 },
      (state) => {
        states.push(state)
        if (states.length === 1) api.update({ models: [fakeModelState('m')] })
        else api.leave()
      },
      never(),
    )
    expect(states.map((state) => state.version)).toStrictEqual([1, 2])
    expect(states[1]).toStrictEqual(api.state)
  })

  test('of many changes in a moment the newest arrives', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    const versions: number[] = []
    await client.watch(
      { heartbeatMs: 1000 },
      (state) => {
        versions.push(state.version)
        if (versions.length === 1) for (let change = 0; change < 1000; change += 1) api.update({})
        if (state.version === 1001) api.leave()
      },
      never(),
    )
    expect(versions).toStrictEqual([...versions].sort((a, b) => a - b))
    expect(versions.at(-1)).toBe(1001)
    expect(versions.length).toBeLessThan(100)
  })
}

function describeGenerate(connect: ConnectNodeApi): void {
  test('generate brings every token in order, after the call has returned', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    const events: GenerateEvent[] = []
    const generation = client.generate(request(), (event) => events.push(event), never())
    expect(events).toStrictEqual([])
    await generation
    expectWholeStream(events)
    expect(textOf(events)).toBe(Array.from({ length: 20 }, (_, index) => fakeTokenText(request(), index)).join(''))
    expect(events[0]).toStrictEqual({ kind: 'accepted', promptTokens: 3, cachedTokens: 1, promptTokenIds: [1, 2, 3] })
    expect(events.at(-1)).toStrictEqual({ kind: 'finished', reason: 'length', completionTokens: 20 })
    expect(api.running).toBe(0)
  })

  test('the request arrives as it was sent', async () => {
    const seen: InferenceRequest[] = []
    const api = createFakeNodeApi({
      async generate(received, onEvent) {
        seen.push(received)
        onEvent({ kind: 'finished', reason: 'stop', completionTokens: 0 })
      },
    })
    await using client = await connect(api)
    const sent = request({
      sampling: { ...defaultSampling, temperature: 0, seed: -5, logitBias: { 17: -100 } },
      tokensMax: null,
      thinking: true,
    })
    await client.generate(sent, () => {}, never())
    expect(seen).toStrictEqual([sent])
  })

  test('a burst in one turn loses and repeats nothing', async () => {
    const tokens = Array.from({ length: 3000 }, (_, seq) => ({ seq, text: `${seq % 10}` }))
    const api = createFakeNodeApi({
      async generate(_request, onEvent) {
        onEvent({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
        for (const { seq, text } of tokens) {
          onEvent({ kind: 'tokens', epoch: 2, seq, tokenIds: [seq], text })
          onEvent({ kind: 'heartbeat', completedDecodes: seq, runningDecodeAgeMs: 0.5 })
        }
        onEvent({ kind: 'finished', reason: 'stop', completionTokens: tokens.length })
      },
    })
    await using client = await connect(api)
    const events: GenerateEvent[] = []
    await client.generate(request(), (event) => events.push(event), never())
    expectWholeStream(events)
    expect(idsOf(events)).toStrictEqual(tokens.map((token) => token.seq))
    expect(textOf(events)).toBe(tokens.map((token) => token.text).join(''))
  })

  test('requests side by side do not mix', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    const texts = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const events: GenerateEvent[] = []
        const one = request({ messages: [{ role: 'user', content: `<${index}>` }], tokensMax: 10 })
        await client.generate(one, (event) => events.push(event), never())
        expectWholeStream(events)
        return textOf(events)
      }),
    )
    for (const [index, text] of texts.entries())
      expect(text.replaceAll(/ <\d+>\d/g, (token) => (token.startsWith(` <${index}>`) ? '' : token))).toBe('')
  })

  test('a stream that ends without its end is a lost node, not an answer', async () => {
    const api = createFakeNodeApi({
      async generate(_request, onEvent) {
        onEvent({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
        onEvent({ kind: 'tokens', epoch: 2, seq: 0, tokenIds: [1], text: 'half' })
      },
    })
    await using client = await connect(api)
    await expect(client.generate(request(), () => {}, never())).rejects.toMatchObject({ code: 'NODE_LOST' })
  })
}

function describeErrors(connect: ConnectNodeApi): void {
  test('every error of the vocabulary arrives whole', async () => {
    const codes = Object.keys(errorTable) as ErrorCode[]
    const thrown = codes.map(
      (code) => new ShoalError({ code, message: `wrong: ${code} é`, remedy: 'do that', param: 'messages[0]', retryAfterMs: 1500 }),
    )
    let next = 0
    const api = createFakeNodeApi({
      unloadModel: () => Promise.reject(thrown[next]),
      generate: () => Promise.reject(thrown[next]),
    })
    await using client = await connect(api)
    for (const error of thrown) {
      const { code, message, remedy, param, retryAfterMs } = error
      const same = { name: 'ShoalError', code, message, remedy, param, retryAfterMs }
      await expect(client.unloadModel(modelId('m'), never())).rejects.toMatchObject(same)
      await expect(client.generate(request(), () => {}, never())).rejects.toMatchObject(same)
      next += 1
    }
    expect(next).toBe(codes.length)
  })

  test('an error without parameter and waiting time has none afterwards', async () => {
    await using client = await connect(createFakeNodeApi())
    await expect(client.unloadModel(modelId('absent'), never())).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
      message: 'this node has not loaded absent',
      remedy: errorTable.MODEL_UNKNOWN.remedy,
      param: null,
      retryAfterMs: null,
    })
  })

  test('a defect in the node is INTERNAL and tells nothing of what it worked on', async () => {
    const generate = () => Promise.reject(new SyntaxError('unexpected token in "a secret prompt"'))
    await using client = await connect(createFakeNodeApi({ generate }))
    const failure: unknown = await client.generate(request(), () => {}, never()).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'ShoalError', code: 'INTERNAL' })
    expect(String(failure)).not.toContain('secret')
  })

  test('an endless or broken message is cut and still says its code', async () => {
    const message = '\u{1F600}\ud800"\n\u0000'.repeat(10_000)
    const unloadModel = () => Promise.reject(new ShoalError({ code: 'LOAD_FAILED', message }))
    await using client = await connect(createFakeNodeApi({ unloadModel }))
    const failure = await client.unloadModel(modelId('m'), never()).catch((error: unknown) => ShoalError.from(error))
    expect(failure).toMatchObject({ code: 'LOAD_FAILED' })
    expect(failure?.message.length).toBeGreaterThan(50)
    expect(failure?.message.length).toBeLessThan(2000)
  })

  test('a request outside the contract is refused before the node sees it', async () => {
    const api = createFakeNodeApi({ generate: () => Promise.reject(new Error('must not be called')) })
    await using client = await connect(api)
    await expect(client.generate(request({ modelId: modelId('') }), () => {}, never())).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      param: 'model_id',
    })
  })

  test('the end of one call leaves the others alone', async () => {
    const node = createEndlessNode()
    const unloadModel = () => Promise.reject(new ShoalError({ code: 'MODEL_UNKNOWN', message: 'no such model' }))
    await using client = await connect({ ...node.api, unloadModel })
    const cancel = new AbortController()
    const endless = client.generate(request(), () => {}, cancel.signal)
    await node.begun
    await expect(client.unloadModel(modelId('m'), never())).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
    expect(await client.describe(never())).toStrictEqual(node.api.description)
    cancel.abort()
    await expect(endless).rejects.toMatchObject({ code: 'CANCELLED' })
  })
}

function describeCancelling(connect: ConnectNodeApi): void {
  test('a cancelled call rejects at once, stops the node and brings nothing more', async () => {
    const node = createEndlessNode()
    await using client = await connect(node.api)
    const cancel = new AbortController()
    const events: GenerateEvent[] = []
    const generation = client.generate(request(), (event) => events.push(event), cancel.signal)
    await node.begun
    cancel.abort()
    const seen = events.length
    await expect(generation).rejects.toMatchObject({ code: 'CANCELLED' })
    await node.stopped
    await client.describe(never())
    expect(events).toHaveLength(seen)
  })

  test('a call whose signal fired before is never made', async () => {
    const node = createEndlessNode()
    let calls = 0
    const describeNode: NodeApi['describe'] = (signal) => {
      calls += 1
      return node.api.describe(signal)
    }
    await using client = await connect({ ...node.api, describe: describeNode })
    await expect(client.describe(AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(client.generate(request(), () => {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
    await client.describe(never())
    expect(calls).toBe(1)
  })

  test('a deadline is told from a wish', async () => {
    const node = createEndlessNode()
    await using client = await connect(node.api)
    const generation = client.generate(request(), () => {}, AbortSignal.timeout(30))
    await expect(generation).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await node.stopped
  })

  test('a watch and a load can be cancelled', async () => {
    const api = createFakeNodeApi({
      loadModel: async (_command, onProgress, signal) => {
        onProgress(fakeModelState('m', { status: 'loading', progress: 0 }))
        await aborted(signal)
        throw new ShoalError({ code: 'CANCELLED', message: 'stopped' })
      },
    })
    await using client = await connect(api)
    const cancel = new AbortController()
    const watch = client.watch({ heartbeatMs: 1000 }, () => cancel.abort(), cancel.signal)
    await expect(watch).rejects.toMatchObject({ code: 'CANCELLED' })
    const cancelLoad = new AbortController()
    const load = client.loadModel(command, () => cancelLoad.abort(), cancelLoad.signal)
    await expect(load).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  test('a listener that throws ends its call with what it threw and stops the node', async () => {
    const node = createEndlessNode()
    await using client = await connect(node.api)
    const fail = () => {
      throw new ShoalError({ code: 'INTERNAL', message: 'listener broke' })
    }
    await expect(client.generate(request(), fail, never())).rejects.toMatchObject({ message: 'listener broke' })
    await node.stopped
  })

  test('disposing the client cancels what runs, and refuses what comes', async () => {
    const node = createEndlessNode()
    const client = await connect(node.api)
    const generation = client.generate(request(), () => {}, never())
    await node.begun
    const outcome = expect(generation).rejects.toMatchObject({ code: 'CANCELLED' })
    await client[Symbol.asyncDispose]()
    await outcome
    await node.stopped
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'CANCELLED' })
  })
}
