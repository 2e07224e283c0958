import type { BatchItem } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'
import { createDecodeRounds, type Seat } from './decode-rounds.ts'

const items = (...lengths: number[]) =>
  lengths.map((length) => ({ tokens: { length }, logits: [], evaluationPriority: 5 }) as unknown as BatchItem)
const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
}

function start() {
  let now = 0
  const rounds = createDecodeRounds(() => now, 512)
  const granted: string[] = []
  /** Asks, and notes the grant when it comes. */
  const ask = (name: string, seat: Seat, wanted: number) => void seat.turn(wanted).then((tokens) => granted.push(`${name}${tokens}`))
  return {
    rounds,
    ask,
    wait: (ms: number) => {
      now += ms
    },
    async taken() {
      await settle()
      return granted.splice(0)
    },
  }
}

describe('rounds of decoding', () => {
  test('a lone request goes at once, again and again', async () => {
    const { rounds, ask, taken } = start()
    const seat = rounds.join()
    for (let step = 0; step < 3; step++) {
      ask('a', seat, 1)
      expect(await taken()).toEqual(['a1'])
    }
  })

  test('who comes first waits for all of its round, then all go together', async () => {
    const { rounds, ask, taken } = start()
    const [a, b, c] = [rounds.join(), rounds.join(), rounds.join()]
    ask('a', a, 1)
    expect(await taken()).toEqual(['a1'])
    ask('b', b, 1)
    ask('c', c, 1)
    expect(await taken()).toEqual([])
    ask('a', a, 1)
    expect((await taken()).toSorted()).toEqual(['a1', 'b1', 'c1'])
    ask('b', b, 1)
    ask('a', a, 1)
    expect(await taken()).toEqual([])
    ask('c', c, 1)
    expect((await taken()).toSorted()).toEqual(['a1', 'b1', 'c1'])
  })

  test('who rests or leaves holds up nobody', async () => {
    const { rounds, ask, taken } = start()
    const [a, b, c] = [rounds.join(), rounds.join(), rounds.join()]
    for (const [name, seat] of [
      ['a', a],
      ['b', b],
      ['c', c],
    ] as const)
      ask(name, seat, 1)
    await taken()
    ask('b', b, 1)
    ask('c', c, 1)
    a.rest()
    expect((await taken()).toSorted()).toEqual(['b1', 'c1'])
    ask('b', b, 1)
    c.leave()
    expect(await taken()).toEqual(['b1'])
    c.leave()
    a.leave()
    ask('b', b, 1)
    expect(await taken()).toEqual(['b1'])
  })

  test('long prompts get what is left beside the steps of others, in the order they came', async () => {
    const { rounds, ask, taken } = start()
    const [a, b, c] = [rounds.join(), rounds.join(), rounds.join()]
    ask('a', a, 1)
    await taken()
    ask('b', b, 40)
    ask('c', c, 40)
    ask('a', a, 1)
    expect((await taken()).toSorted()).toEqual(['a1', 'b31'])
    ask('b', b, 9)
    ask('a', a, 1)
    const next = await taken()
    expect(next).toContain('a1')
    expect(next).toContain('c31')
  })
})

describe('watching decodes', () => {
  test('a decode runs from the call of the strategy to the end of its round', async () => {
    const { rounds, ask, taken, wait } = start()
    const [a, b] = [rounds.join(), rounds.join()]
    ask('a', a, 1)
    await taken()
    ask('b', b, 1)
    expect(rounds.progress()).toEqual({ completedDecodes: 0, runningDecodeAgeMs: null, slowestDecodeMs: 0 })
    expect(rounds.strategy({ items: items(1), size: 512 })).toHaveLength(1)
    wait(40)
    expect(rounds.progress()).toEqual({ completedDecodes: 0, runningDecodeAgeMs: 40, slowestDecodeMs: 0 })
    a.leave()
    expect(rounds.progress()).toEqual({ completedDecodes: 1, runningDecodeAgeMs: null, slowestDecodeMs: 40 })
    await taken()
    rounds.strategy({ items: items(1), size: 512 })
    wait(10)
    rounds.strategy({ items: items(1), size: 512 })
    expect(rounds.progress()).toMatchObject({ completedDecodes: 2, runningDecodeAgeMs: 0 })
  })

  test('slow prefills make the next chunks smaller, quick ones larger', async () => {
    const { rounds, ask, taken, wait } = start()
    const seat = rounds.join()
    const prefill = async (tookMs: number) => {
      ask('', seat, 10_000)
      const [tokens] = await taken()
      rounds.strategy({ items: items(Number(tokens)), size: 512 })
      wait(tookMs)
      return Number(tokens)
    }
    const quick = [await prefill(1), await prefill(1), await prefill(1), await prefill(1), await prefill(1), await prefill(1)]
    expect(quick).toEqual([32, 64, 128, 256, 512, 512])
    const slow = [await prefill(1000), await prefill(1000), await prefill(1000), await prefill(1000)]
    expect(slow).toEqual([512, 256, 128, 64])
  })
})
