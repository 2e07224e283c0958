import { createFakeLog } from '@shoal/core/testing'
import { describe, expect, test } from 'vitest'
import { QuestionChild } from './question-child.ts'
import { createFakeChildren } from './testing/fake-child.ts'

const log = createFakeLog()
const question = { kind: 'probe-gpus' } as const

describe('a child for questions', () => {
  test('is started by the first question and shared by the next, and answers find their question', async () => {
    const children = createFakeChildren()
    const child = new QuestionChild(children.start)
    expect(children.all).toHaveLength(0)
    const first = child.ask(question, log)
    const second = child.ask(question, log)
    expect(children.all).toHaveLength(1)
    expect(children.last().received.map((message) => message.kind === 'ask' && message.ask)).toEqual([1, 2])
    children.last().say({ kind: 'answer', ask: 2, value: 'two' })
    children.last().say({ kind: 'answer-failed', ask: 1, error: { code: 'MODEL_FILE_INVALID', message: 'bad' } })
    expect(await second).toBe('two')
    await expect(first).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID', message: 'bad' })
  })

  test('that was just going is followed by another, which is asked again', async () => {
    const children = createFakeChildren()
    const child = new QuestionChild(children.start)
    const answer = child.ask(question, log)
    children.last().exit(null)
    expect(children.all).toHaveLength(2)
    children.last().say({ kind: 'answer', ask: 1, value: [] })
    expect(await answer).toEqual([])
  })

  test('that dies over a question twice is not started a third time', async () => {
    const children = createFakeChildren()
    const child = new QuestionChild(children.start)
    const answer = child.ask(question, log)
    children.last().exit('SIGSEGV', 'driver broke')
    children.last().exit('SIGSEGV', 'driver broke')
    await expect(answer).rejects.toMatchObject({ code: 'ENGINE_CRASHED', message: expect.stringContaining('driver broke') })
    expect(children.all).toHaveLength(2)
  })
})
