import { modelId } from '@shoal/core'
import { createManualClock } from '@shoal/core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { collectEvents, createTestRequest, describeEngineContract } from './engine-contract.ts'
import { createMockEngine, type MockEngineOptions } from './mock-engine.ts'
import { mockAnswer } from './mock-tokens.ts'

const realClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, run: () => void) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
const never = new AbortController().signal

describeEngineContract(
  'mock',
  async () => ({ engine: createMockEngine({ clock: realClock, tokenIntervalMs: 1, answerTokens: 1000 }), path: '/none' }),
  { describe, test, expect, afterAll },
)

describe('mock engine', () => {
  async function loadWithManualClock(over: Partial<MockEngineOptions>, slots = 4) {
    const clock = createManualClock()
    const options = { contextTokens: 4096, slots, threads: 1, gpuLayers: 0 }
    const loading = createMockEngine({ clock, ...over }).loadModel({ modelId: modelId('mock'), path: '/none', options }, () => {}, never)
    for (let step = 0; step < 8; step++) {
      clock.advance(over.loadMs ?? 0)
      await Promise.resolve()
    }
    return { clock, model: await loading }
  }

  test('token k depends on the messages and on k alone', async () => {
    const { clock, model } = await loadWithManualClock({ tokenIntervalMs: 10, answerTokens: 50 })
    const requests = ['a', 'b', 'a'].map((content) => ({ request: createTestRequest(content, { tokensMax: null }), seen: collectEvents() }))
    const running = requests.map(({ request, seen }) => model.generate(request, seen.onEvent, never))
    clock.advance(1000)
    await Promise.all(running)
    const [first, second, third] = requests
    expect(first?.seen.text()).toBe(mockAnswer(first?.request.messages ?? [], 50))
    expect(first?.seen.text()).toBe(third?.seen.text())
    expect(first?.seen.text()).not.toBe(second?.seen.text())
    expect(first?.seen.events.at(-1)).toEqual({ kind: 'finished', reason: 'stop', completionTokens: 50 })
  })

  test('keeps to its pace', async () => {
    const { clock, model } = await loadWithManualClock({ tokenIntervalMs: 10, prefillMs: 100 })
    const seen = collectEvents()
    const running = model.generate(createTestRequest('pace'), seen.onEvent, never)
    clock.advance(100)
    expect(seen.ids).toHaveLength(0)
    clock.advance(50)
    expect(seen.ids).toHaveLength(5)
    clock.advance(1000)
    await running
    expect(seen.ids).toHaveLength(24)
  })

  test('a crash at a token ends every running request, then the model comes back', async () => {
    const { clock, model } = await loadWithManualClock({
      tokenIntervalMs: 10,
      restartMs: 500,
      failAt: (request, token) => (request.messages[0]?.content === 'bad' && token === 3 ? 'crash' : null),
    })
    const bad = collectEvents()
    const running = [
      model.generate(createTestRequest('bad'), bad.onEvent, never),
      model.generate(createTestRequest('good'), () => {}, never),
    ]
    const ended = Promise.all(running.map((run) => expect(run).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })))
    clock.advance(60)
    await ended
    expect(bad.ids).toHaveLength(3)
    expect(model.status.kind).toBe('restarting')
    await expect(model.generate(createTestRequest('good'), () => {}, never)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    clock.advance(500)
    expect(model.status.kind).toBe('ready')
  })

  test('a hang lets heartbeats grow old and is noticed after its bound', async () => {
    const { clock, model } = await loadWithManualClock({
      tokenIntervalMs: 10,
      noticeMs: 3000,
      failAt: (_, token) => (token === 2 ? 'hang' : null),
    })
    const seen = collectEvents()
    const ended = expect(model.generate(createTestRequest('hang'), seen.onEvent, never)).rejects.toMatchObject({ code: 'ENGINE_STUCK' })
    clock.advance(2000)
    const ages = seen.events.flatMap((event) => (event.kind === 'heartbeat' ? [event.runningDecodeAgeMs ?? 0] : []))
    expect(ages.at(-1)).toBeGreaterThan(1500)
    clock.advance(1500)
    await ended
    expect(seen.ids).toHaveLength(2)
  })

  test('carries more than 10,000 tokens a second over many streams', async () => {
    const options = { contextTokens: 4096, slots: 200, threads: 1, gpuLayers: 0 }
    const engine = createMockEngine({ clock: realClock, answerTokens: 200 })
    await using model = await engine.loadModel({ modelId: modelId('mock'), path: '/none', options }, () => {}, never)
    let tokens = 0
    const started = performance.now()
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        model.generate(
          createTestRequest(`stream ${index}`, { tokensMax: null }),
          (event) => {
            if (event.kind === 'tokens') tokens += event.tokenIds.length
          },
          never,
        ),
      ),
    )
    expect(tokens).toBe(40_000)
    expect(tokens / ((performance.now() - started) / 1000)).toBeGreaterThan(10_000)
  })
})
