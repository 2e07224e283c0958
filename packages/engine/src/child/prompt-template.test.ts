import { describe, expect, test } from 'vitest'
import { createPromptTemplate, mergeSystemMessages } from './prompt-template.ts'

const chatml = `{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}`
const options = { bosToken: '<s>', eosToken: '</s>' }
const user = { role: 'user', content: ' Hi ' } as const
const system = { role: 'system', content: 'Be brief.' } as const

describe('a chat template out of the file', () => {
  test('gets messages, the invitation to answer and the thinking switch', () => {
    const render = createPromptTemplate({ ...options, source: chatml })
    expect(render({ messages: [system, user], thinking: true, addGenerationPrompt: true })).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    )
    expect(render({ messages: [user], thinking: false, addGenerationPrompt: true })).toMatch(/<think>\n\n<\/think>\n\n$/)
    expect(render({ messages: [user], thinking: false, addGenerationPrompt: false })).toBe('<|im_start|>user\nHi<|im_end|>\n')
  })

  test('that knows no system role gets its text with the first user message', () => {
    const source = `{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}`
    const render = createPromptTemplate({ ...options, source })
    expect(render({ messages: [system, user], thinking: false, addGenerationPrompt: true })).toBe('<s>[user]Be brief.\n\n Hi ')
  })

  test('that refuses the messages becomes INVALID_REQUEST in its own words', () => {
    const source = `{{ raise_exception('roles must alternate') }}`
    const render = createPromptTemplate({ ...options, source })
    const refused = () => render({ messages: [system, user, user], thinking: false, addGenerationPrompt: true })
    expect(refused).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', param: 'messages' }))
    expect(refused).toThrow('roles must alternate')
  })

  test('that cannot be parsed is a fault of the file', () => {
    expect(() => createPromptTemplate({ ...options, source: '{% for x in %}' })).toThrow(
      expect.objectContaining({ code: 'MODEL_FILE_INVALID' }),
    )
  })
})

test('a model without a template gets labelled lines', () => {
  const render = createPromptTemplate({ ...options, source: null })
  expect(render({ messages: [system, { role: 'user', content: 'Hi' }], thinking: false, addGenerationPrompt: true })).toBe(
    'Be brief.\n\nUser: Hi\nAssistant:',
  )
})

test('system messages are merged only where there is a user message to take them', () => {
  expect(mergeSystemMessages([system])).toBeNull()
  expect(mergeSystemMessages([user])).toBeNull()
  expect(mergeSystemMessages([system, { role: 'assistant', content: 'Yes?' }, user])).toEqual([
    { role: 'assistant', content: 'Yes?' },
    { role: 'user', content: 'Be brief.\n\n Hi ' },
  ])
})
