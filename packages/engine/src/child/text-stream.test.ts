import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createTextStream } from './text-stream.ts'

/** A vocabulary of byte strings; Buffer writes one U+FFFD for each maximal part of a character, as V8 does for the addon. */
const vocabulary = (pieces: readonly Uint8Array[]) => (ids: readonly number[]) =>
  Buffer.concat(ids.map((id) => pieces[id] ?? new Uint8Array())).toString('utf8')

const split = (bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] => {
  const pieces: Uint8Array[] = []
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    pieces.push(bytes.subarray(start, start + size))
    start += size
  }
  return pieces
}

function stream(pieces: readonly Uint8Array[]): { frames: string[]; whole: string; held: number } {
  let held = 0
  const detokenize = vocabulary(pieces)
  const text = createTextStream((ids) => {
    held = Math.max(held, ids.length)
    return detokenize(ids)
  })
  const frames = pieces.map((_, id) => text.push(id))
  return { frames: [...frames, text.end()], whole: detokenize(pieces.map((_, id) => id)), held }
}

const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 })

describe('text of a token stream', () => {
  test('is whole characters only, wherever tokens cut the bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), sizes, (content, cuts) => {
        const { frames, whole } = stream(split(Buffer.from(content), cuts))
        expect(frames.join('')).toBe(content)
        expect(whole).toBe(content)
        for (const frame of frames) expect(frame.isWellFormed()).toBe(true)
        if (!content.includes('\uFFFD')) expect(frames.join('|')).not.toContain('\uFFFD')
      }),
    )
  })

  test('equals the decoded whole for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), sizes, (bytes, cuts) => {
        const { frames, whole } = stream(split(bytes, cuts))
        expect(frames.join('')).toBe(whole)
      }),
    )
  })

  test('does not gather endless rubbish', () => {
    const { frames, held } = stream(Array.from({ length: 200 }, () => Uint8Array.of(0xff)))
    expect(frames.join('')).toBe('\uFFFD'.repeat(200))
    expect(held).toBeLessThanOrEqual(8)
  })

  test('holds an unfinished emoji back and writes it when it is whole', () => {
    const { frames } = stream(split(Buffer.from('a🐟b'), [2, 1, 1, 1]))
    expect(frames).toEqual(['a', '', '', '🐟', 'b', ''].slice(0, frames.length))
  })

  test('writes what was never finished as U+FFFD at the end', () => {
    expect(stream([Buffer.from('a'), Uint8Array.of(0xf0, 0x9f)]).frames).toEqual(['a', '', '\uFFFD'])
  })
})
