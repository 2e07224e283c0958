import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Llama, LlamaContextSequence, LlamaModel } from 'node-llama-cpp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readModelManifest } from '../read-model.ts'
import { sha256File } from '../sha256-file.ts'
import { decode, loadForTest, startLlama, turn } from '../testing/engine-for-tests.ts'
import { quickest } from '../testing/quickest.ts'
import { demoScript } from './script.ts'
import { createWordChain, followersOf, outside } from './word-chain.ts'
import { writeDemoModel } from './write-demo-model.ts'

const chain = createWordChain(demoScript)
let path = ''
let writeMs = 0
let llama: Llama
let model: LlamaModel
let sequences: readonly LlamaContextSequence[] = []

beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'shoal-demo-')), 'demo.gguf')
  writeMs = (await quickest(2000, () => writeDemoModel(path))).tookMs
  llama = await startLlama()
  ;({ model, sequences } = await loadForTest(llama, path, 4))
})
afterAll(async () => {
  await llama.dispose()
})

const reply = async (index: number, question: string, options: { temperature?: number; seed?: number } = {}) => {
  const sequence = sequences[index]
  if (sequence === undefined) throw new RangeError(`no sequence ${index}`)
  return await decode(sequence, turn(question), { tokensMax: 300, ...options })
}

/** Throws unless every token is a word that the chain allows at its place, and the end comes where the chain ends. */
function expectWalk(tokens: readonly number[]): string {
  const words = tokens.map((token) => model.detokenize([token as never]))
  const heard = [outside]
  for (const word of words) {
    expect(followersOf(chain, heard.slice(-3))).toContain(word)
    heard.push(word)
  }
  expect(followersOf(chain, heard.slice(-3))).toContain(outside)
  return words.join('')
}

test('it is small, quickly written, names itself a demo, and its bytes belong to its version', async () => {
  expect(writeMs).toBeLessThan(2000)
  expect((await stat(path)).size).toBeLessThan(10_000_000)
  expect(await readModelManifest(path)).toMatchObject({
    name: 'Shoal demo',
    isDemo: true,
    architecture: 'llama',
    contextTokensTrained: 32_768,
  })
  // When this changes, count demoVersion up: nodes tell models apart by their digest.
  expect({ version: 1, sha256: await sha256File(path) }).toEqual({
    version: 1,
    sha256: 'b4df1be67fc63d18a2f498b22731953144bed8cce9e4a86e4d7b2ec081e036b8',
  })
})

test('two writes give the same bytes', async () => {
  await writeDemoModel(`${path}.again`)
  expect(Buffer.compare(await readFile(path), await readFile(`${path}.again`))).toBe(0)
})

test('greedy replies are walks of the chain that end by themselves, and differ from question to question', async () => {
  const questions = ['Hello, who are you?', 'What is 2 + 2?', 'Größe von 日本 🐟?', 'x', 'Please write a long poem about the sea.']
  const texts = new Set<string>()
  for (const question of questions) {
    const tokens = await reply(0, question)
    expect(tokens.length).toBeGreaterThanOrEqual(40)
    expect(tokens.length).toBeLessThanOrEqual(150)
    texts.add(expectWalk(tokens))
  }
  expect(texts.size).toBe(questions.length)
})

test('several sequences at once, warm and hot, stay in the chain and vary', async () => {
  const replies = await Promise.all(
    [1, 2, 3, 4].map((seed, index) => reply(index, 'Tell me something.', { seed, temperature: index < 2 ? 1 : 2 })),
  )
  expect(new Set(replies.map(expectWalk)).size).toBe(4)
})

test('a reply continued from its tokens on another sequence goes on as before', async () => {
  const question = 'Go on, please.'
  const tokens = await reply(0, question)
  const half = tokens.slice(0, 30)
  const sequence = sequences[1]
  if (sequence === undefined) throw new RangeError('no second sequence')
  const rest = await decode(sequence, [...model.tokenize(turn(question), true), ...half], { tokensMax: 300 })
  expect([...half, ...rest]).toEqual(tokens)
})

test('every word of the chain is one token, and any text comes back from its tokens', () => {
  for (const word of chain.words) expect(model.tokenize(word)).toHaveLength(1)
  for (const text of ['Shoals of fish, unrelated words', 'naïve 日本語 🐟\n\ttabs  and spaces', '<|im_end|> as text', '-- --model 3.14']) {
    expect(model.detokenize(model.tokenize(text))).toBe(text)
  }
})
