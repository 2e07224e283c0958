import type { ChatMessage } from '@shoal/core'
import { afterAll, describe, expect, it } from 'vitest'
import { answerDirectly } from '../native/direct-llama.ts'
import { architectures, startTestModels } from '../native/engine-models.ts'
import { createShoalHost } from './shoal-program.ts'

const models = await startTestModels()
afterAll(() => models[Symbol.asyncDispose]())

const conversations: ChatMessage[][] = [
  'Who are you?',
  'Größe, 魚 and 🐟: what is this? '.repeat(12),
  'Tell me of the sea, the fish and the shoal.',
].map((content) => [{ role: 'user', content }])
const tokensMax = 64

describe.each(architectures)('%s through HTTP, gateway, gRPC, agent and engine child', (architecture) => {
  it('answers greedily with the text of node-llama-cpp used directly', async () => {
    const path = await models.path(architecture)
    const direct = await answerDirectly({ path, contextTokens: 1024, tokensMax, conversations })
    await using host = await createShoalHost(null)
    const args = ['--no-mdns', '--offline', '--threads', '1', '--port', '0', '--agent-port', '0', '--context', '1024', '--slots', '1']
    const up = host.start(['up', ...args, '--model', path])
    const base = (await up.line(/^ready /)).split(' ')[1]
    const texts: string[] = []
    for (const messages of conversations) {
      const response = await fetch(`${base}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'auto', messages, temperature: 0, max_tokens: tokensMax }),
      })
      const body = (await response.json()) as { choices: { message: { content: string } }[]; usage: { completion_tokens: number } }
      expect(body.usage.completion_tokens).toBe(tokensMax)
      texts.push(body.choices[0]?.message.content ?? '')
    }
    expect(texts).toEqual(direct.map((answer) => answer.text))
    expect(new Set(direct.flatMap((answer) => answer.tokenIds)).size).toBeGreaterThan(60)
  }, 60_000)
})
