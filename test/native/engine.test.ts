import { type ChatMessage, defaultSampling, type LoadedModel } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { createLlamaEngine } from '@shoal/engine'
import { collectEvents, createTestRequest, describeEngineContract } from '@shoal/engine/testing'
import { systemClock } from '@shoal/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerDirectly, type DirectAnswer } from './direct-llama.ts'
import { architectures, type LoadedForTest, loadForTest, startTestModels } from './engine-models.ts'

const models = await startTestModels()
afterAll(() => models[Symbol.asyncDispose]())
const never = new AbortController().signal

describeEngineContract(
  'node-llama-cpp',
  async () => ({ engine: createLlamaEngine({ log: createFakeLog(), clock: systemClock, gpu: false }), path: await models.path('llama') }),
  { describe, test, expect, afterAll },
)

/** Long enough to be worth keeping, short enough to be quick. */
const conversations: (readonly ChatMessage[])[] = [
  'Who are you?',
  'Größe, 魚 and 🐟: what is this? '.repeat(12),
  'Short.',
  'x',
  'Tell me of the sea, the fish and the shoal.',
].map((content) => [{ role: 'user', content }])

async function answer(model: LoadedModel, messages: readonly ChatMessage[], tokensMax: number) {
  const seen = collectEvents()
  await model.generate(createTestRequest('', { messages, tokensMax }), seen.onEvent, never)
  const accepted = seen.events[0]
  if (accepted?.kind !== 'accepted') throw new Error('the first event was not accepted')
  return { ...accepted, tokenIds: seen.ids, text: seen.text() }
}

/** Equal up to the first near tie, and equal all the way where there is none. */
function expectSame(ours: { readonly tokenIds: readonly number[]; readonly text: string }, direct: DirectAnswer): void {
  expect(ours.tokenIds.slice(0, direct.decidedTokens)).toEqual(direct.tokenIds.slice(0, direct.decidedTokens))
  expect(ours.tokenIds).toHaveLength(direct.tokenIds.length)
  if (ours.tokenIds.every((id, index) => id === direct.tokenIds[index])) expect(ours.text).toBe(direct.text)
}

const turns: (readonly ChatMessage[])[] = ['one thing.', 'quite another thing.'].map((end) => [
  { role: 'user', content: `The same beginning, then ${end}` },
])

describe.each(architectures)('%s', (architecture) => {
  const contextTokens = 512
  const tokensMax = 60
  let direct: DirectAnswer[] = []

  beforeAll(async () => {
    const path = await models.path(architecture)
    direct = await answerDirectly({ path, contextTokens, tokensMax, conversations: [...conversations, ...turns] })
  })

  const directTo = (messages: readonly ChatMessage[]) => {
    const found = direct[[...conversations, ...turns].indexOf(messages)]
    if (found === undefined) throw new Error('an answer is missing')
    return found
  }

  test('answers greedily with the tokens of node-llama-cpp used directly, one by one and eight at a time', async () => {
    const decided = conversations.reduce((sum, messages) => sum + directTo(messages).decidedTokens, 0)
    expect(decided).toBeGreaterThan(60)
    await using loaded = await loadForTest(await models.path(architecture), { contextTokens, slots: 8 })
    for (const messages of conversations) {
      const ours = await answer(loaded.model, messages, tokensMax)
      expect(ours.promptTokenIds).toEqual(directTo(messages).promptTokenIds)
      expectSame(ours, directTo(messages))
    }
    const eight = Array.from({ length: 8 }, (_, index) => conversations[index % conversations.length] ?? [])
    const together = await Promise.all(eight.map((messages) => answer(loaded.model, messages, tokensMax)))
    for (const [index, ours] of together.entries()) expectSame(ours, directTo(eight[index] ?? []))
  })

  test('serves conversations in turns from one slot without mixing them, and goes on with one from what the slot holds', async () => {
    const path = await models.path(architecture)
    await using loaded = await loadForTest(path, { contextTokens, slots: 1 })
    for (const turn of [0, 1, 0, 1, 1, 0]) {
      const messages = turns[turn] ?? []
      expectSame(await answer(loaded.model, messages, tokensMax), directTo(messages))
    }
    const user = { role: 'user', content: 'A first question that is long enough to be worth keeping.' } as const
    const first = await answer(loaded.model, [user], 24)
    const messages = [user, { role: 'assistant', content: first.text } as const, { role: 'user', content: 'And now?' } as const]
    const second = await answer(loaded.model, messages, 24)
    // All of the first prompt but its invitation to answer, at the least.
    expect(second.cachedTokens).toBeGreaterThan(first.promptTokens * 0.7)
    const [expected] = await answerDirectly({ path, contextTokens, tokensMax: 24, conversations: [messages] })
    if (expected === undefined) throw new Error('the answer is missing')
    expect(second.promptTokenIds).toEqual(expected.promptTokenIds)
    expectSame(second, expected)
  })
})

describe('sampling', () => {
  let loaded: LoadedForTest
  beforeAll(async () => {
    loaded = await loadForTest(await models.path('llama'), { contextTokens: 2048 })
  })
  afterAll(() => loaded[Symbol.asyncDispose]())

  test('a seed repeats an answer, no seed gives another one each time', async () => {
    const ask = async (seed: number | null) => {
      const seen = collectEvents()
      const sampling = { ...defaultSampling, temperature: 1.5, topK: 0, topP: 1, minP: 0, seed }
      await loaded.model.generate(createTestRequest('Roll the dice.', { sampling }), seen.onEvent, never)
      return seen.ids.join(' ')
    }
    expect(await ask(1)).toBe(await ask(1))
    expect(await ask(1)).not.toBe(await ask(2))
    expect(await ask(null)).not.toBe(await ask(null))
  })

  test('biases and penalties reach the sampler', async () => {
    const ask = async (over: Partial<typeof defaultSampling>) => {
      const seen = collectEvents()
      const sampling = { ...defaultSampling, temperature: 0, ...over }
      await loaded.model.generate(createTestRequest('Say it again.', { sampling, tokensMax: 40 }), seen.onEvent, never)
      return seen.ids
    }
    const plain = await ask({})
    const [first = 0] = plain
    expect(await ask({ logitBias: { [first]: -100 } })).not.toContain(first)
    expect(new Set(await ask({ logitBias: { [first]: 100 } }))).toEqual(new Set([first]))
    const forced = await ask({ logitBias: { [first]: 30 }, frequencyPenalty: 2 })
    expect(new Set(forced).size).toBeGreaterThan(1)
    // Penalties alone make every token appear at most once, when they are far larger than any logit.
    const once = await ask({ presencePenalty: 2, frequencyPenalty: 2, repeatPenalty: 1000 })
    expect(new Set(once).size).toBe(once.length)
  })

  test('a bias on a token that cannot have one is refused, naming it', async () => {
    const ask = (logitBias: Record<string, number>) =>
      loaded.model.generate(createTestRequest('No.', { sampling: { ...defaultSampling, logitBias } }), () => {}, never)
    await expect(ask({ 99999: 1 })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      param: 'logit_bias',
      message: expect.stringContaining('99999'),
    })
    await expect(ask({ '-1': 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(ask({ x: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(loaded.model.slotsUsed).toBe(0)
  })

  test('tokens that end inside a character never break one', async () => {
    // Ids 0 to 255 are single bytes; these four make "🐟", and any other order of them is rubbish.
    const bytes = [0xf0, 0x9f, 0x90, 0x9f]
    const logitBias = Object.fromEntries(bytes.map((byte) => [byte, 90]))
    const seen = collectEvents()
    const sampling = { ...defaultSampling, temperature: 1, topK: 0, topP: 1, minP: 0, seed: 3, logitBias }
    await loaded.model.generate(createTestRequest('Fish.', { sampling, tokensMax: 800 }), seen.onEvent, never)
    expect(new Set(seen.ids)).toEqual(new Set(bytes))
    const whole = Buffer.from(seen.ids).toString('utf8')
    expect(whole).toContain('🐟')
    expect(seen.text()).toBe(whole)
    for (const event of seen.events) if (event.kind === 'tokens') expect(event.text.isWellFormed()).toBe(true)
  })
})
