import { describe, expect, test } from 'vitest'
import { demoScript } from './script.ts'
import { chainReach, createWordChain, followersOf, outside } from './word-chain.ts'

describe('a chain of a small script', () => {
  const chain = createWordChain([['One {red|blue} fish.', 'Two fish!'], ['They swim.']])

  test('its words carry their space, the first of a reply has none', () => {
    expect(chain.words).toEqual([' They', ' blue', ' fish', ' red', ' swim', '!', '.', 'One', 'Two'])
  })

  test('each part follows the one before, and the last is followed by the end', () => {
    expect(followersOf(chain, [outside])).toEqual(['One', 'Two'])
    expect(followersOf(chain, ['One'])).toEqual([' red', ' blue'])
    expect(followersOf(chain, ['One', ' red'])).toEqual([' fish'])
    expect(followersOf(chain, [' fish', '!'])).toEqual([' They'])
    expect(followersOf(chain, [' swim', '.'])).toEqual([outside])
  })

  test('what came earlier decides between followers of one word', () => {
    expect(followersOf(chain, [outside, ' fish'])).toEqual(['.', '!'])
    expect(followersOf(chain, ['Two', ' fish'])).toEqual(['!'])
    expect(followersOf(chain, [' red', ' fish'])).toEqual(['.'])
  })
})

describe('the demo script', () => {
  const chain = createWordChain(demoScript)

  test('every walk ends by itself after 40 to 150 words, without dead ends', () => {
    const { shortest, longest, replies } = measure([outside], new Map(), new Set())
    expect(shortest).toBeGreaterThanOrEqual(40)
    expect(longest).toBeLessThanOrEqual(150)
    expect(replies).toBeGreaterThan(1_000_000)
  })

  test('every reply begins by saying that it is a demonstration without knowledge', () => {
    const openings = new Set<string>()
    const walk = (path: readonly string[], end: string): void => {
      if (path.at(-1) === end) {
        openings.add(path.join(''))
        return
      }
      for (const word of followersOf(chain, path)) walk([...path, word], end)
    }
    walk([outside], '.')
    expect(openings.size).toBeGreaterThan(8)
    for (const opening of openings) {
      expect(opening).toContain('the Shoal demo')
      expect(opening).toMatch(/demonstration/)
      expect(opening).toMatch(/knows nothing|without any knowledge/)
    }
  })

  interface Measure {
    readonly shortest: number
    readonly longest: number
    readonly replies: number
  }

  /** Depth-first over all walks; the last words are all that matters, so walks with the same last words are measured once. */
  function measure(path: readonly string[], known: Map<string, Measure>, open: Set<string>): Measure {
    const recent = path.slice(-chainReach)
    const key = recent.join('|')
    const before = known.get(key)
    if (before !== undefined) return before
    if (open.has(key)) throw new Error(`a walk can go round for ever: ${path.slice(-20).join('')}`)
    open.add(key)
    const followers = followersOf(chain, recent)
    if (followers.length === 0) throw new Error(`no word may follow: ${path.slice(-20).join('')}`)
    const ends = followers.map((word) =>
      word === outside ? { shortest: 0, longest: 0, replies: 1 } : oneMore(measure([...path, word], known, open)),
    )
    open.delete(key)
    const result = {
      shortest: Math.min(...ends.map(({ shortest }) => shortest)),
      longest: Math.max(...ends.map(({ longest }) => longest)),
      replies: ends.reduce((sum, { replies }) => sum + replies, 0),
    }
    known.set(key, result)
    return result
  }

  function oneMore({ shortest, longest, replies }: Measure): Measure {
    return { shortest: shortest + 1, longest: longest + 1, replies }
  }
})
