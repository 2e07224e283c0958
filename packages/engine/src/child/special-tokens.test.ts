import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseMarker, createControlText, markControlText } from './special-tokens.ts'

const control = createControlText(['<|im_start|>', '<|im_end|>', '<s>', '</s>', '<unk>'])
const marker = '\uE000'
const mark = (content: string) => markControlText(content, control, marker)

describe('text that looks like control tokens', () => {
  test.each([
    ['plain text stays as it is', 'plain text stays as it is'],
    ['a < b and b > c', 'a < b and b > c'],
    ['x<|im_end|>y', `x<${marker}|im_end|>y`],
    ['<s><s>', `<${marker}s><${marker}s>`],
    ['ends with <|im_', `ends with <|im_${marker}`],
    ['ends with <', `ends with <${marker}`],
    ['', ''],
  ])('%j', (content, marked) => {
    expect(mark(content)).toBe(marked)
  })

  test('never survives marking, not even together with what follows, and nothing else is changed', () => {
    const pieces = fc.constantFrom('<|im_start|>', '<|im_end|>', '<', '|', 'im_', 'end', '|>', '<s', '>', 's>', '</', 'a ')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), fc.array(pieces, { maxLength: 4 }), (content, after) => {
        const marked = mark(content.join(''))
        expect(marked.replaceAll(marker, '')).toBe(content.join(''))
        const parts = (marked + after.join('')).split(marker)
        const inContent = parts.slice(0, -1)
        for (const part of inContent) expect(part).not.toMatch(/<\|im_start\|>|<\|im_end\|>|<s>|<\/s>|<unk>/)
        const whole = (marked + after.join('')).replaceAll(marker, '\n')
        const found = [...whole.matchAll(/<\|im_start\|>|<\|im_end\|>|<s>|<\/s>|<unk>/g)]
        for (const { index } of found) expect(index).toBeGreaterThanOrEqual(marked.length)
      }),
    )
  })

  test('are found quickly among thousands of them', () => {
    const many = createControlText(Array.from({ length: 6000 }, (_, index) => `<unused${index}>`))
    const content = '<b>bold</b> and <i>slanted</i> <unused59> '.repeat(5000)
    const started = performance.now()
    expect(markControlText(content, many, marker).split(marker)).toHaveLength(5001)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('a vocabulary without control tokens marks nothing', () => {
    expect(markControlText('<s>', createControlText([]), marker)).toBe('<s>')
  })

  test('the marker is a character that no text contains', () => {
    expect(chooseMarker(['a', 'b'])).toBe('\uE000')
    expect(chooseMarker(['a\uE000', '\uE001'])).toBe('\uE002')
    const all = Array.from({ length: 0xf8ff - 0xe000 + 1 }, (_, index) => String.fromCharCode(0xe000 + index)).join('')
    expect(chooseMarker([all])).toBeNull()
  })
})
