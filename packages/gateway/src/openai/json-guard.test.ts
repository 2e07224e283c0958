import fc from 'fast-check'
import { expect, test } from 'vitest'
import { guardJson } from './json-guard.ts'

const bytes = (text: string) => Buffer.from(text)
const limits = { depth: 4, nodes: 10 }

test.each([
  ['nesting at the limit', '[[[[1]]]]'],
  ['many brackets inside a string', JSON.stringify(['[[[[[[[[[[[[{{{{{{,,,,,,,,,,,,,'])],
  ['an escaped quote inside a string', '["a\\"[[[[[[[["]'],
  ['a string that ends in an escaped backslash', '["a\\\\",[[1]]]'],
  ['nothing', ''],
  ['text that is not JSON', 'hello'],
  ['a string without an end', '"[[[[[[[[['],
])('lets through: %s', (_name, text) => {
  expect(() => guardJson(bytes(text), limits)).not.toThrow()
})

test.each([
  ['nesting beyond the limit', '[[[[[1]]]]]', 'nested deeper than 4'],
  ['nesting that is never closed', '['.repeat(100_000), 'nested deeper than 4'],
  ['objects within each other', '{"a":{"a":{"a":{"a":{}}}}}', 'nested deeper than 4'],
  ['too many values', `[${'1,'.repeat(20)}1]`, 'more than 10 values'],
  ['too many empty objects', `[${'{},'.repeat(20)}{}]`, 'more than 10 values'],
  ['nesting after an escaped quote', '["\\"",[[[[[1]]]]]]', 'nested deeper than 4'],
])('refuses: %s', (_name, text, message) => {
  expect(() => guardJson(bytes(text), limits)).toThrow(message)
})

test('valid JSON within the limits always passes, beyond the depth never', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 1, max: 6 }), (value, depth) => {
      const check = () => guardJson(bytes(JSON.stringify(value)), { depth, nodes: 1e6 })
      if (depthOf(value) > depth) expect(check).toThrow('nested deeper')
      else expect(check).not.toThrow()
    }),
    { numRuns: 1000 },
  )
})
