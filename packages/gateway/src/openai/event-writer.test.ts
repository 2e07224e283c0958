import { createManualClock } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import type { SinkEvents } from './event-sink.ts'
import { createEventWriter } from './event-writer.ts'

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A reader whose speed the test decides. */
function createTestWriter() {
  const clock = createManualClock()
  const written: string[] = []
  const happened: string[] = []
  let isFast = true
  let events: SinkEvents | null = null
  const writer = createEventWriter({
    clock,
    render: (text) => `<${text}>`,
    onGone: () => happened.push('gone'),
    onOverflow: () => happened.push('overflow'),
    open: (given) => {
      events = given
      return {
        response: new Response(),
        write: (text) => {
          written.push(text)
          return isFast
        },
        end: () => happened.push('end'),
        cut: () => happened.push('cut'),
      }
    },
  })
  return {
    ...{ clock, written, happened, writer },
    slow() {
      isFast = false
    },
    drain() {
      isFast = true
      events?.onDrain()
    },
    leave: () => events?.onGone(),
  }
}

test('pieces of one turn of the event loop go out together, each as its own event', async () => {
  const { writer, written } = createTestWriter()
  writer.event('role')
  writer.text('a')
  writer.text('b')
  expect(written).toEqual([])
  await settle()
  writer.text('c')
  await settle()
  expect(written).toEqual(['role<a><b>', '<c>'])
})

test('for a reader that is behind, pieces are joined into one event when it has caught up', async () => {
  const { writer, written, slow, drain } = createTestWriter()
  slow()
  writer.text('a')
  await settle()
  for (const piece of ['b', 'c', 'd']) {
    writer.text(piece)
    await settle()
  }
  expect(written).toEqual(['<a>'])
  drain()
  await settle()
  writer.text('e')
  await settle()
  expect(written).toEqual(['<a>', '<bcd>', '<e>'])
})

test('the end brings everything that was held back, in order', async () => {
  const { writer, written, happened, slow } = createTestWriter()
  slow()
  writer.text('a')
  await settle()
  writer.text('b')
  writer.end('[DONE]')
  expect(written.join('')).toBe('<a><b>[DONE]')
  expect(happened).toEqual(['end'])
  writer.text('late')
  await settle()
  expect(written.join('')).toBe('<a><b>[DONE]')
})

test('more than 64 KiB of text for a slow reader is too much', async () => {
  const { writer, happened, slow } = createTestWriter()
  slow()
  writer.text('a')
  await settle()
  writer.text('x'.repeat(64 * 1024))
  expect(happened).toEqual([])
  writer.text('x')
  expect(happened).toEqual(['overflow'])
})

test('a reader that takes nothing for 30 seconds is cut off, one that takes a little is not', async () => {
  const stalled = createTestWriter()
  const slow = createTestWriter()
  for (const each of [stalled, slow]) {
    each.slow()
    each.writer.text('a')
  }
  await settle()
  for (const each of [stalled, slow]) each.clock.advance(29_000)
  slow.drain()
  slow.slow()
  slow.writer.text('b')
  await settle()
  for (const each of [stalled, slow]) each.clock.advance(2000)
  expect(stalled.happened).toEqual(['cut', 'gone'])
  expect(slow.happened).toEqual([])
})

test('a reader that never takes the end is cut off, too', async () => {
  const { writer, happened, slow, clock } = createTestWriter()
  slow()
  writer.text('a')
  await settle()
  writer.end('[DONE]')
  clock.advance(29_000)
  expect(happened).toEqual(['end'])
  clock.advance(2000)
  expect(happened).toEqual(['end', 'cut'])
})

test('nothing is written to a client that is gone', async () => {
  const { writer, written, happened, leave } = createTestWriter()
  writer.text('a')
  leave()
  writer.text('b')
  writer.event('c')
  writer.end('d')
  await settle()
  expect(written).toEqual([])
  expect(happened).toEqual(['gone'])
})
