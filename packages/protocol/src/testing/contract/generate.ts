import { defaultSampling, type GenerateEvent, type InferenceRequest } from '@shoal/core'
import { expect, test } from 'vitest'
import { createFakeNodeApi, fakeTokenText } from '../fake-node-api.ts'
import { type ConnectNodeApi, expectWholeStream, idsOf, never, request, textOf } from './fixtures.ts'

export function describeGenerate(connect: ConnectNodeApi): void {
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
