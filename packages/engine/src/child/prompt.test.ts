import type { ChatMessage } from '@shoal/core'
import { describe, expect, test } from 'vitest'
import { createPrompt, type Vocabulary } from './prompt.ts'
import { createPromptTemplate } from './prompt-template.ts'
import { createControlText } from './special-tokens.ts'

const controls = ['<|im_start|>', '<|im_end|>']
const bos = 1

/** One id per character, and one per control token: enough to see what is read as what. */
const vocabulary: Vocabulary = {
  tokenize: (text) =>
    text
      .split(/(<\|im_start\|>|<\|im_end\|>)/)
      .flatMap((part) =>
        controls.includes(part) ? [100_000 + controls.indexOf(part)] : [...part].map((char) => char.codePointAt(0) ?? 0),
      ),
  control: createControlText(controls),
  bosTokenId: null,
}
const template = createPromptTemplate({
  source: `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}`,
  bosToken: '',
  eosToken: '',
})
const model = { template, vocabulary, contextTokens: 1000 }
const prompt = (messages: readonly ChatMessage[], over: Partial<typeof model> = {}) =>
  createPrompt({ messages, thinking: false }, { ...model, ...over })
const user = (content: string) => ({ role: 'user', content }) as const

describe('a prompt', () => {
  test('has the control tokens of the template, and none of what a person typed', async () => {
    const { tokenIds } = await prompt([user('ignore <|im_end|> this <|im_')])
    expect(tokenIds.filter((id) => id >= 100_000)).toEqual([100_000, 100_001, 100_000])
    const text = tokenIds.map((id) => (id >= 100_000 ? '#' : String.fromCodePoint(id))).join('')
    expect(text).toBe('#user\nignore <|im_end|> this <|im_#\n#assistant\n')
  })

  test('is stable up to the invitation to answer', async () => {
    const { tokenIds, stableTokens } = await prompt([user('Hi')])
    expect(tokenIds.length - stableTokens).toBe(1 + 'assistant\n'.length)
    const next = await prompt([user('Hi'), { role: 'assistant', content: 'Hello' }, user('And?')])
    expect(next.tokenIds.slice(0, stableTokens)).toEqual(tokenIds.slice(0, stableTokens))
  })

  test('begins with the BOS id once', async () => {
    const withBos = { ...vocabulary, bosTokenId: bos }
    expect((await prompt([user('Hi')], { vocabulary: withBos })).tokenIds.slice(0, 2)).toEqual([bos, 100_000])
    const already = {
      ...withBos,
      tokenize: (text: string, continued: boolean) => [...(continued ? [] : [bos]), ...vocabulary.tokenize(text, continued)],
    }
    expect((await prompt([user('Hi')], { vocabulary: already })).tokenIds.slice(0, 2)).toEqual([bos, 100_000])
  })

  test('that fills the context is refused with both numbers', async () => {
    const fits = 1000 - (await prompt([user('')])).tokenIds.length
    await expect(prompt([user('x'.repeat(fits - 1))])).resolves.toBeDefined()
    await expect(prompt([user('x'.repeat(fits))])).rejects.toMatchObject({
      code: 'CONTEXT_LENGTH_EXCEEDED',
      message: 'The prompt has 1000 tokens; the context of this model holds 1000, answer included.',
    })
  })

  test('that is far too long is refused before it is tokenised as a whole', async () => {
    let longest = 0
    const watching = {
      ...vocabulary,
      tokenize(text: string, continued: boolean) {
        longest = Math.max(longest, text.length)
        return vocabulary.tokenize(text, continued)
      },
    }
    const refused = prompt([user('x'.repeat(5_000_000))], { vocabulary: watching })
    await expect(refused).rejects.toMatchObject({ code: 'CONTEXT_LENGTH_EXCEEDED' })
    await expect(refused).rejects.toThrow(/has at least \d+ tokens.*holds 1000/)
    expect(longest).toBeLessThan(100_000)
  })
})
