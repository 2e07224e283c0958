import { collectEvents, createTestRequest } from '@shoal/engine/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { loadForTest, startTestModels } from './engine-models.ts'

const models = await startTestModels()
afterAll(() => models[Symbol.asyncDispose]())
const never = new AbortController().signal

describe('cancelling', () => {
  test('200 times during decode: the engine has stopped within 100 ms (p99), and no slot is lost', async () => {
    await using loaded = await loadForTest(await models.path('llama'), { slots: 4, contextTokens: 2048 })
    const { model } = loaded
    const tookMs: number[] = []
    const abortOne = async (turn: number) => {
      const cancel = new AbortController()
      const { ids, onEvent } = collectEvents()
      const abortAfter = 1 + (turn % 17)
      let abortedMs = 0
      const running = model.generate(
        createTestRequest(`Go on, number ${turn}.`, { tokensMax: null }),
        (event) => {
          onEvent(event)
          if (ids.length < abortAfter || abortedMs > 0) return
          abortedMs = performance.now()
          cancel.abort()
        },
        cancel.signal,
      )
      // The rejection comes from the child, after its sequence has stopped.
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
      tookMs.push(performance.now() - abortedMs)
    }
    await Promise.all(
      Array.from({ length: 4 }, async (_, lane) => {
        for (let turn = 0; turn < 50; turn++) await abortOne(lane * 50 + turn)
      }),
    )
    const sorted = tookMs.toSorted((a, b) => a - b)
    expect(sorted).toHaveLength(200)
    console.info(
      `cancel during decode: p50 ${sorted[100]?.toFixed(1)} ms, p99 ${sorted[197]?.toFixed(1)} ms, max ${sorted[199]?.toFixed(1)} ms`,
    )
    expect(sorted[197]).toBeLessThanOrEqual(100)
    expect(model.slotsUsed).toBe(0)
    await Promise.all(Array.from({ length: 4 }, (_, index) => model.generate(createTestRequest(`Last ${index}`), () => {}, never)))
  })

  test('during prefill: stops at the next batch boundary, and what was evaluated is kept', async () => {
    // Large enough for a prompt of some thousand tokens to take many batches.
    const path = await models.path('llama', { embeddingLength: 512, feedForwardLength: 2048, layerCount: 6 })
    await using loaded = await loadForTest(path, { slots: 1, contextTokens: 4096 })
    const { model } = loaded
    const content = 'fish in the sea '.repeat(200)
    const cancel = new AbortController()
    const { promptTokens, cancelledMs } = await new Promise<{ promptTokens: number; cancelledMs: number }>((resolve) => {
      let promptTokens = 0
      let abortedMs = 0
      const running = model.generate(
        createTestRequest(content),
        (event) => {
          if (event.kind !== 'accepted') return
          promptTokens = event.promptTokens
          abortedMs = performance.now()
          cancel.abort()
        },
        cancel.signal,
      )
      running.catch(() => resolve({ promptTokens, cancelledMs: performance.now() - abortedMs }))
    })
    expect(promptTokens).toBeGreaterThan(1500)
    expect(model.slotsUsed).toBe(0)

    const seen = collectEvents()
    const startedMs = performance.now()
    await model.generate(createTestRequest(content, { tokensMax: 1 }), seen.onEvent, never)
    const prefillMs = performance.now() - startedMs
    const accepted = seen.events[0]
    if (accepted?.kind !== 'accepted') throw new Error('the first event was not accepted')
    console.info(
      `cancel during prefill: ${cancelledMs.toFixed(0)} ms, ${accepted.cachedTokens} of ${promptTokens} tokens kept, the rest took ${prefillMs.toFixed(0)} ms`,
    )
    expect(accepted.cachedTokens).toBeGreaterThan(0)
    expect(accepted.cachedTokens).toBeLessThan(promptTokens / 2)
    expect(cancelledMs).toBeLessThan(prefillMs / 2)
  })

  test('before the prompt was even read: the slot is free again', async () => {
    await using loaded = await loadForTest(await models.path('llama'), { slots: 1 })
    const cancel = new AbortController()
    const running = loaded.model.generate(createTestRequest('Never mind.'), () => {}, cancel.signal)
    cancel.abort()
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    await loaded.model.generate(createTestRequest('Next.'), () => {}, never)
  })
})
