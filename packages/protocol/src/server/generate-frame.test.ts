import type { GenerateEvent } from '@shoal/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeGenerateEvent, readGenerateEvents } from '../codec/generate-event.ts'
import { nodeService } from '../wire.ts'
import { generateFrameBytes, joinGenerateFrames } from './generate-frame.ts'

const { Generate } = nodeService

type Frame = ReturnType<typeof encodeGenerateEvent>

/** Sends events as a writer does whose peer never reads: everything that can be joined is. */
function throughFrames(events: readonly GenerateEvent[]): { frames: Frame[]; read: GenerateEvent[] } {
  const frames: Frame[] = []
  for (const event of events) {
    const next = encodeGenerateEvent(event)
    const last = frames.at(-1)
    if (last === undefined || !joinGenerateFrames(last, next)) frames.push(next)
  }
  const read: GenerateEvent[] = []
  for (const frame of frames) {
    readGenerateEvents(Generate.responseDeserialize(Generate.responseSerialize(frame)), (event) => read.push(event))
  }
  return { frames, read }
}

const tokens = (seq: number, tokenIds: number[], text: string, epoch = 1): GenerateEvent => ({ kind: 'tokens', epoch, seq, tokenIds, text })
const heartbeat = (completedDecodes: number): GenerateEvent => ({ kind: 'heartbeat', completedDecodes, runningDecodeAgeMs: 1.5 })

/** Streams as an engine makes them: contiguous tokens of some lengths, heartbeats between them. */
const stream = fc
  .array(fc.oneof(fc.array(fc.nat(), { maxLength: 4 }), fc.constant(null)), { maxLength: 40 })
  .map((steps): GenerateEvent[] => {
    let seq = 0
    const events: GenerateEvent[] = [{ kind: 'accepted', promptTokens: 2, cachedTokens: 0, promptTokenIds: [4, 5] }]
    for (const [index, ids] of steps.entries()) {
      if (ids === null) events.push(heartbeat(index))
      else events.push(tokens(seq, ids, `${index},`))
      seq += ids?.length ?? 0
    }
    return [...events, { kind: 'finished', reason: 'stop', completionTokens: seq }]
  })

test('joining keeps every id, all text, the order and the ends of any stream, in one frame', () => {
  fc.assert(
    fc.property(stream, (events) => {
      const { frames, read } = throughFrames(events)
      const ids = (list: readonly GenerateEvent[]) => list.flatMap((event) => (event.kind === 'tokens' ? event.tokenIds : []))
      const text = (list: readonly GenerateEvent[]) => list.map((event) => (event.kind === 'tokens' ? event.text : '')).join('')
      expect(frames).toHaveLength(1)
      expect(ids(read)).toStrictEqual(ids(events))
      expect(text(read)).toBe(text(events))
      expect(read[0]).toStrictEqual(events[0])
      expect(read.at(-1)).toStrictEqual(events.at(-1))
      expect(read.filter((event) => event.kind === 'heartbeat')).toStrictEqual(
        events.filter((event) => event.kind === 'heartbeat').slice(-1),
      )
    }),
  )
})

test.each<[string, GenerateEvent[]]>([
  ['a gap', [tokens(0, [1], 'a'), tokens(2, [3], 'c')]],
  ['a repetition', [tokens(0, [1], 'a'), tokens(0, [1], 'a')]],
  ['another epoch', [tokens(0, [1], 'a', 1), tokens(1, [2], 'b', 2)]],
  ['something after the end', [{ kind: 'finished', reason: 'stop', completionTokens: 1 }, tokens(0, [1], 'a')]],
])('%s is not joined, so that the reader sees it', (_name, events) => {
  const { frames, read } = throughFrames(events)
  expect(frames).toHaveLength(2)
  expect(read).toStrictEqual(events)
})

test('what waits is measured by its ids and text', () => {
  const frame = encodeGenerateEvent(tokens(0, [1, 2], 'abc'))
  expect(generateFrameBytes(frame)).toBe(22)
  expect(generateFrameBytes(encodeGenerateEvent(heartbeat(1)))).toBe(0)
})
