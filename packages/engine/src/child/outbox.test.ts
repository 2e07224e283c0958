import { expect, test } from 'vitest'
import type { FromChild } from '../messages.ts'
import { createOutbox } from './outbox.ts'

test('what happens in one turn goes out as one message, in order, the tokens of a run together', () => {
  const sent: FromChild[] = []
  const turns: (() => void)[] = []
  const outbox = createOutbox(
    (message) => sent.push(message),
    (flush) => turns.push(flush),
  )
  outbox.push({ kind: 'tokens', run: 1, tokenIds: [1], text: 'a' })
  outbox.push({ kind: 'tokens', run: 2, tokenIds: [2], text: 'b' })
  outbox.push({ kind: 'tokens', run: 1, tokenIds: [3], text: 'c' })
  outbox.push({ kind: 'finished', run: 1, reason: 'stop' })
  expect(sent).toEqual([])
  expect(turns).toHaveLength(1)
  turns[0]?.()
  expect(sent).toEqual([
    {
      kind: 'events',
      events: [
        { kind: 'tokens', run: 1, tokenIds: [1, 3], text: 'ac' },
        { kind: 'tokens', run: 2, tokenIds: [2], text: 'b' },
        { kind: 'finished', run: 1, reason: 'stop' },
      ],
    },
  ])
  outbox.push({ kind: 'tokens', run: 2, tokenIds: [4], text: 'd' })
  outbox.send({ kind: 'answer', ask: 1, value: 0 })
  expect(sent.slice(1).map((message) => message.kind)).toEqual(['events', 'answer'])
})
