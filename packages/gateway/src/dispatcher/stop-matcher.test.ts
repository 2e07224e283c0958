import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createStopMatcher } from './stop-matcher.ts'

interface Outcome {
  readonly text: string
  readonly stopped: boolean
}

function feed(pieces: readonly string[], stops: readonly string[]): Outcome {
  const matcher = createStopMatcher(stops)
  let text = ''
  for (const piece of pieces) {
    const step = matcher.push(piece)
    text += step.text
    if (step.stopped) return { text, stopped: true }
  }
  return { text: text + matcher.flush(), stopped: false }
}

/** The definition, letter by letter: the first end of any stop string, and of those that end there the longest. */
function reference(text: string, stops: readonly string[]): Outcome {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0]
    if (found !== undefined) return { text: text.slice(0, end - found.length), stopped: true }
  }
  return { text, stopped: false }
}

test.each([
  { name: 'no stop strings', pieces: ['a', 'b'], stops: [], expected: { text: 'ab', stopped: false } },
  { name: 'a stop string within a piece', pieces: ['one STOP two'], stops: ['STOP'], expected: { text: 'one ', stopped: true } },
  { name: 'a stop string over three pieces', pieces: ['one S', 'TO', 'P two'], stops: ['STOP'], expected: { text: 'one ', stopped: true } },
  {
    name: 'a beginning that goes on differently',
    pieces: ['one ST', 'ART'],
    stops: ['STOP'],
    expected: { text: 'one START', stopped: false },
  },
  { name: 'a beginning at the very end', pieces: ['one ST'], stops: ['STOP'], expected: { text: 'one ST', stopped: false } },
  { name: 'the one that is complete first', pieces: ['abcd'], stops: ['abcd', 'bc'], expected: { text: 'a', stopped: true } },
  { name: 'the longer of two that end together', pieces: ['xabc'], stops: ['c', 'abc'], expected: { text: 'x', stopped: true } },
  { name: 'a beginning inside a beginning', pieces: ['aa', 'ab'], stops: ['aab'], expected: { text: 'a', stopped: true } },
  { name: 'characters beyond the basic plane', pieces: ['x😀', '😁y'], stops: ['😁'], expected: { text: 'x😀', stopped: true } },
  { name: 'a stop string at the very beginning', pieces: ['\n\n'], stops: ['\n'], expected: { text: '', stopped: true } },
])('cuts the text: $name', ({ pieces, stops, expected }) => {
  expect(feed(pieces, stops)).toEqual(expected)
})

test('nothing of a possible stop string is emitted before it is decided', () => {
  const matcher = createStopMatcher(['</end>'])
  expect(matcher.push('text </e')).toEqual({ text: 'text ', stopped: false })
  expect(matcher.push('n')).toEqual({ text: '', stopped: false })
  expect(matcher.push('x')).toEqual({ text: '</enx', stopped: false })
})

test('the result does not depend on how the text is cut into pieces', () => {
  const letters = fc.constantFrom('a', 'b', 'c')
  const words = (max: number, min = 0) => fc.array(letters, { minLength: min, maxLength: max }).map((each) => each.join(''))
  fc.assert(
    fc.property(fc.array(words(4), { maxLength: 12 }), fc.array(words(4, 1), { minLength: 1, maxLength: 4 }), (pieces, stops) => {
      expect(feed(pieces, stops)).toEqual(reference(pieces.join(''), stops))
    }),
    { numRuns: 2000 },
  )
})
