import { ShoalError } from '@shoal/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { invalidRequest } from './invalid-request.ts'
import { parseChat } from './parse-chat.ts'

const base = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const problem = (body: unknown) => {
  try {
    parseChat(body)
  } catch (error) {
    return ShoalError.from(error)
  }
  throw new Error('was accepted')
}

test.each([
  [{ messages: base.messages }, 'model is missing.'],
  [{ ...base, model: '' }, 'model must not be empty.'],
  [{ ...base, model: 5 }, 'model must be a string, got number.'],
  [{ ...base, model: null }, 'model must be a string, got null.'],
  [{ ...base, model: 'x'.repeat(600) }, 'model must have at most 512 characters.'],
  [{ model: 'm' }, 'messages is missing.'],
  [{ ...base, messages: 'hi' }, 'messages must be an array, got string.'],
  [{ ...base, messages: [] }, 'messages must not be empty.'],
  [{ ...base, messages: ['hi'] }, 'messages[0] must be an object, got string.'],
  [{ ...base, messages: [{ content: 'x' }] }, 'messages[0].role is missing.'],
  [
    { ...base, messages: [{ role: 'boss', content: 'x' }] },
    'messages[0].role must be one of "system", "developer", "user", "assistant", "tool", "function".',
  ],
  [{ ...base, messages: [{ role: 'user', content: 5 }] }, 'messages[0].content must be a string, or an array of parts with a type.'],
  [{ ...base, messages: [{ role: 'user', content: 'a\ud800' }] }, 'messages[0].content contains an unpaired surrogate.'],
  [{ ...base, temperature: 2.1 }, 'temperature must be at most 2.'],
  [{ ...base, temperature: '1' }, 'temperature must be a number, got string.'],
  [{ ...base, temperature: Number.POSITIVE_INFINITY }, 'temperature must be a number, got a number beyond all limits.'],
  [{ ...base, repeat_penalty: 0 }, 'repeat_penalty must be more than 0.'],
  [{ ...base, max_tokens: 0 }, 'max_tokens must be at least 1.'],
  [{ ...base, max_tokens: 0.5 }, 'max_tokens must be a whole number, got a number with a fraction.'],
  [{ ...base, stream: 'yes' }, 'stream must be true or false, got string.'],
  [{ ...base, seed: 1.5 }, 'seed must be a whole number.'],
  [{ ...base, stop: 5 }, 'stop must be a string of 1 to 256 characters, or up to 16 of them.'],
  [{ ...base, logit_bias: { hello: 1 } }, 'logit_bias.hello must have a token id as its name.'],
  [{ ...base, logit_bias: { 1: 101 } }, 'logit_bias.1 must be at most 100.'],
])('%#: says what is wrong in plain words', (body, message) => {
  expect(problem(body)).toMatchObject({ message, remedy: 'Correct the named field.' })
})

test.each([[[]], [null], [5], ['text']])('a body that is %j names no field, and its remedy neither', (body) => {
  const schema = z.object({ model: z.string() }).safeParse(body)
  if (schema.success) throw new Error('was accepted')
  for (const error of [problem(body), invalidRequest(schema.error, body)]) {
    expect(error.param).toBeNull()
    expect(error.message).toContain('request body')
    expect(error.remedy).toContain('JSON object')
  }
})
