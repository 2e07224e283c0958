import {
  type ChatMessage,
  defaultSampling,
  type Engine,
  type GenerateEvent,
  type InferenceRequest,
  type LoadedModel,
  modelId,
  requestId,
} from '@shoal/core'
import type { afterAll as AfterAll, describe as Describe, expect as Expect, test as Test } from 'vitest'

/** The test framework is handed in, so that this door can be opened outside of it. */
export interface ContractTools {
  readonly describe: typeof Describe
  readonly test: typeof Test
  readonly expect: typeof Expect
  readonly afterAll: typeof AfterAll
}

export interface EngineUnderTest {
  readonly engine: Engine
  /** A model file; its answers to short prompts must be longer than 40 tokens under greedy decoding. */
  readonly path: string
}

const contextTokens = 256
const slots = 2

export interface Collected {
  readonly events: GenerateEvent[]
  readonly ids: number[]
  text(): string
  readonly onEvent: (event: GenerateEvent) => void
}

/** Receives the events of one request. */
export function collectEvents(): Collected {
  const events: GenerateEvent[] = []
  const ids: number[] = []
  return {
    events,
    ids,
    text: () => events.map((event) => (event.kind === 'tokens' ? event.text : '')).join(''),
    onEvent(event) {
      events.push(event)
      if (event.kind === 'tokens') ids.push(...event.tokenIds)
    },
  }
}

/** A greedy request for one user message. */
export function createTestRequest(content: string, over: Partial<InferenceRequest> = {}): InferenceRequest {
  const messages: ChatMessage[] = [{ role: 'user', content }]
  return {
    ...{ requestId: requestId('test'), modelId: modelId('test'), epoch: 1, messages, tokensMax: 24, thinking: false },
    sampling: { ...defaultSampling, temperature: 0 },
    ...over,
  }
}

/** What every engine keeps to; the mock and the real one both pass. */
export function describeEngineContract(name: string, makeEngine: () => Promise<EngineUnderTest>, tools: ContractTools): void {
  const { describe, test, expect, afterAll } = tools
  const load = async (over: { contextTokens?: number; slots?: number } = {}): Promise<LoadedModel> => {
    const { engine, path } = await makeEngine()
    const options = { contextTokens, slots, threads: 1, gpuLayers: 0, ...over }
    return engine.loadModel({ modelId: modelId('test'), path, options }, () => {}, new AbortController().signal)
  }
  const never = new AbortController().signal
  let shared: Promise<LoadedModel> | null = null
  /** One model for all tests that leave it as they found it: loading is what takes time. */
  const loadShared = () => {
    shared ??= load()
    return shared
  }

  describe(`${name}: engine contract`, () => {
    afterAll(async () => (await shared)?.[Symbol.asyncDispose]())

    test('reports progress up to 1 and the facts of the loaded model', async () => {
      const { engine, path } = await makeEngine()
      const progress: number[] = []
      const options = { contextTokens, slots, threads: 1, gpuLayers: 0 }
      await using model = await engine.loadModel({ modelId: modelId('test'), path, options }, (value) => progress.push(value), never)
      expect(progress.at(-1)).toBe(1)
      expect(progress).toEqual(progress.toSorted((a, b) => a - b))
      expect(model.facts).toMatchObject({ contextTokens, slots, threads: 1, gpuLayers: 0 })
      expect(model.status).toEqual({ kind: 'ready' })
    })

    test('ends loading with CANCELLED when it is cancelled', async () => {
      const { engine, path } = await makeEngine()
      const cancel = new AbortController()
      const options = { contextTokens, slots, threads: 1, gpuLayers: 0 }
      const loading = engine.loadModel({ modelId: modelId('test'), path, options }, () => {}, cancel.signal)
      cancel.abort()
      await expect(loading).rejects.toMatchObject({ code: 'CANCELLED' })
    })

    test('says accepted first, then contiguous tokens, then finished', async () => {
      const model = await loadShared()
      const { events, ids, onEvent } = collectEvents()
      await model.generate(createTestRequest('Tell me something.', { epoch: 7 }), onEvent, never)
      const kinds = events.map((event) => event.kind).filter((kind) => kind !== 'heartbeat')
      expect(kinds[0]).toBe('accepted')
      expect(kinds.at(-1)).toBe('finished')
      expect(new Set(kinds.slice(1, -1))).toEqual(new Set(['tokens']))
      let seq = 0
      for (const event of events) {
        if (event.kind !== 'tokens') continue
        expect(event).toMatchObject({ seq, epoch: 7 })
        seq += event.tokenIds.length
      }
      expect(ids).toHaveLength(24)
      expect(events.at(-1)).toEqual({ kind: 'finished', reason: 'length', completionTokens: 24 })
      const accepted = events[0]
      if (accepted?.kind !== 'accepted') throw new Error('the first event was not accepted')
      expect(accepted.promptTokenIds).toHaveLength(accepted.promptTokens)
      expect(accepted.cachedTokens).toBeLessThan(accepted.promptTokens)
    })

    // Only the first tokens: another batch rounds differently, and a near tie may then go the other way.
    test('begins alike, alone and beside others', async () => {
      const model = await loadShared()
      const alone = collectEvents()
      await model.generate(createTestRequest('What is one?'), alone.onEvent, never)
      const together = collectEvents()
      const other = collectEvents()
      await Promise.all([
        model.generate(createTestRequest('What is one?'), together.onEvent, never),
        model.generate(createTestRequest('And what is two?'), other.onEvent, never),
      ])
      expect(together.ids.slice(0, 3)).toEqual(alone.ids.slice(0, 3))
      expect(together.ids).toHaveLength(alone.ids.length)
      expect(alone.text()).not.toBe('')
      expect(alone.text().isWellFormed()).toBe(true)
    })

    test('reuses what a slot still holds of the same prompt', async () => {
      const model = await loadShared()
      const content = 'A prompt that is long enough to be worth keeping between two requests.'
      const first = collectEvents()
      await model.generate(createTestRequest(content), first.onEvent, never)
      const second = collectEvents()
      await model.generate(createTestRequest(content), second.onEvent, never)
      const accepted = second.events[0]
      if (accepted?.kind !== 'accepted') throw new Error('the first event was not accepted')
      expect(accepted.cachedTokens).toBeGreaterThan(accepted.promptTokens / 2)
      expect(accepted.cachedTokens).toBeLessThan(accepted.promptTokens)
      expect(second.ids.slice(0, 3)).toEqual(first.ids.slice(0, 3))
    })

    test('refuses with NODE_BUSY when all slots are in use, and serves again when one is free', async () => {
      const model = await loadShared()
      const running = Array.from({ length: slots }, (_, index) => model.generate(createTestRequest(`Number ${index}`), () => {}, never))
      expect(model.slotsUsed).toBe(slots)
      await expect(model.generate(createTestRequest('One more'), () => {}, never)).rejects.toMatchObject({ code: 'NODE_BUSY' })
      await Promise.all(running)
      expect(model.slotsUsed).toBe(0)
      await model.generate(createTestRequest('One more'), () => {}, never)
    })

    test('stops with CANCELLED when the signal fires, and the slot is free', async () => {
      await using model = await load({ slots: 1 })
      const cancel = new AbortController()
      const { ids, onEvent } = collectEvents()
      const running = model.generate(
        createTestRequest('Go on and on.', { tokensMax: null }),
        (event) => {
          onEvent(event)
          if (event.kind === 'tokens' && ids.length >= 3) cancel.abort()
        },
        cancel.signal,
      )
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(model.slotsUsed).toBe(0)
      await expect(model.generate(createTestRequest('Late'), () => {}, cancel.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
      await model.generate(createTestRequest('Next'), () => {}, never)
    })

    test('refuses a prompt that fills the context, naming both numbers', async () => {
      const model = await loadShared()
      const running = model.generate(createTestRequest('word '.repeat(contextTokens * 4)), () => {}, never)
      await expect(running).rejects.toMatchObject({ code: 'CONTEXT_LENGTH_EXCEEDED', param: 'messages' })
      await expect(running).rejects.toThrow(/\d{3,} tokens.* 256,/)
      expect(model.slotsUsed).toBe(0)
    })

    test('ends with length when the context is full', async () => {
      await using model = await load({ contextTokens: 64 })
      const { events, onEvent } = collectEvents()
      await model.generate(createTestRequest('Fill it up.', { tokensMax: null }), onEvent, never)
      const accepted = events[0]
      const finished = events.at(-1)
      if (accepted?.kind !== 'accepted' || finished?.kind !== 'finished') throw new Error('unexpected order of events')
      expect(finished.reason).toBe('length')
      expect(accepted.promptTokens + finished.completionTokens).toBe(64)
    })

    test('tells its listeners when slots are taken and given back', async () => {
      const model = await loadShared()
      const used: number[] = []
      model.onChange(() => used.push(model.slotsUsed))
      await model.generate(createTestRequest('Watch the slots.'), () => {}, never)
      expect(used[0]).toBe(1)
      expect(used.at(-1)).toBe(0)
      expect(model.tokensPerSecond).toBeGreaterThan(0)
    })

    test('ends running requests and refuses new ones once it is disposed', async () => {
      const model = await load()
      const running = model.generate(createTestRequest('Never to end.', { tokensMax: null }), () => {}, never)
      const ended = expect(running).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
      await model[Symbol.asyncDispose]()
      await ended
      expect(model.status).toEqual({ kind: 'closed' })
      await expect(model.generate(createTestRequest('Too late'), () => {}, never)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    })
  })
}
