import { modelId } from '@shoal/core'
import { createFakeLog, createManualClock } from '@shoal/core/testing'
import { describe, expect, test } from 'vitest'
import type { LoadCommand } from './messages.ts'
import { SupervisedModel } from './supervised-model.ts'
import { collectEvents, createTestRequest } from './testing/engine-contract.ts'
import { createFakeChildren, fakeFacts } from './testing/fake-child.ts'

const command: LoadCommand = {
  kind: 'load',
  path: '/m.gguf',
  gpu: false,
  options: { contextTokens: 512, slots: 2, threads: 1, gpuLayers: 0 },
}
const never = new AbortController().signal
/** Lets promises settle; everything here happens in microtasks. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

async function start() {
  const clock = createManualClock()
  const children = createFakeChildren()
  const log = createFakeLog()
  const starting = SupervisedModel.start({ modelId: modelId('m'), command, clock, log, startChild: children.start }, () => {}, never)
  children.last().say({ kind: 'loaded', facts: fakeFacts })
  const model = await starting
  /** Time passes while the child pulses, as a healthy one does. */
  const live = (ms: number, progress = {}) => {
    for (let passed = 0; passed < ms; passed += 250) {
      children.last().pulse(progress)
      clock.advance(250)
    }
  }
  return { clock, children, log, model, live }
}

describe('loading', () => {
  test('is sent to the child, and its failure is the failure of the load', async () => {
    const children = createFakeChildren()
    const options = { modelId: modelId('m'), command, clock: createManualClock(), log: createFakeLog(), startChild: children.start }
    const starting = SupervisedModel.start(options, () => {}, never)
    expect(children.last().received).toEqual([command])
    children.last().say({ kind: 'load-failed', error: { code: 'MODEL_FILE_INVALID', message: 'cut off' } })
    await expect(starting).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID', message: 'cut off' })
    expect(children.last().killed).toBe(true)
  })

  test('fails with LOAD_FAILED and the last words of a child that dies', async () => {
    const children = createFakeChildren()
    const options = { modelId: modelId('m'), command, clock: createManualClock(), log: createFakeLog(), startChild: children.start }
    const starting = SupervisedModel.start(options, () => {}, never)
    children.last().exit('SIGABRT', 'GGML_ASSERT')
    await expect(starting).rejects.toMatchObject({ code: 'LOAD_FAILED', message: expect.stringMatching(/SIGABRT.*GGML_ASSERT/) })
  })
})

describe('a child that dies', () => {
  test('fails its requests at once, is replaced after a pause, and the model serves again', async () => {
    const { clock, children, model, live } = await start()
    const running = model.generate(createTestRequest('a'), () => {}, never)
    live(1000)
    children.last().exit('SIGKILL')
    await expect(running).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })
    expect(model.status.kind).toBe('restarting')
    expect(model.slotsUsed).toBe(0)
    await expect(model.generate(createTestRequest('b'), () => {}, never)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    expect(children.all).toHaveLength(1)
    clock.advance(250)
    expect(children.all).toHaveLength(2)
    expect(children.last().received).toEqual([command])
    children.last().say({ kind: 'loaded', facts: { ...fakeFacts, residentBytes: 2 } })
    await settle()
    expect(model.status).toEqual({ kind: 'ready' })
    expect(model.facts.residentBytes).toBe(2)
  })

  test('again and again makes the model fail; one that lived for a minute is forgiven', async () => {
    const { clock, children, model, live } = await start()
    for (const pauseMs of [250, 500, 1000, 2000]) {
      children.last().exit()
      clock.advance(pauseMs)
      children.last().say({ kind: 'loaded', facts: fakeFacts })
      await settle()
      expect(model.status.kind).toBe('ready')
    }
    live(60_000)
    for (const pauseMs of [250, 500, 1000, 2000]) {
      children.last().exit()
      clock.advance(pauseMs)
      children.last().exit()
      await settle()
      if (model.status.kind === 'failed') break
    }
    expect(model.status).toMatchObject({ kind: 'failed', error: expect.stringContaining('5 failures in a row') })
    const started = children.all.length
    clock.advance(120_000)
    expect(children.all).toHaveLength(started)
  })
})

describe('a child that does not die but does not work either', () => {
  test('stopped while a request runs: noticed within 3 s, killed, ENGINE_STUCK', async () => {
    const { clock, children, model, live } = await start()
    const running = model.generate(createTestRequest('a'), () => {}, never)
    const ended = expect(running).rejects.toMatchObject({ code: 'ENGINE_STUCK', message: expect.stringContaining('has not answered') })
    for (let decode = 1; decode <= 4; decode++) live(250, { completedDecodes: decode })
    for (let passed = 0; passed < 2750; passed += 250) clock.advance(250)
    await ended
    expect(children.all[0]?.killed).toBe(true)
  })

  test('stopped while idle: noticed within 3 s', async () => {
    const { clock, model, live } = await start()
    live(5000)
    for (let passed = 0; passed < 2750; passed += 250) clock.advance(250)
    expect(model.status.kind).toBe('restarting')
  })

  test('pulsing while its native code hangs: noticed by the decodes that do not end', async () => {
    const { children, model, live } = await start()
    const seen = collectEvents()
    const running = model.generate(createTestRequest('a'), seen.onEvent, never)
    const ended = expect(running).rejects.toMatchObject({ code: 'ENGINE_STUCK', message: expect.stringContaining('completed no decode') })
    children.last().say({ kind: 'events', events: [{ kind: 'accepted', run: 1, promptTokenIds: Uint32Array.of(1), cachedTokens: 0 }] })
    live(1000, { completedDecodes: 5, slowestDecodeMs: 40 })
    live(3500, { completedDecodes: 6, runningDecodeAgeMs: 100, slowestDecodeMs: 40 })
    await ended
    expect(seen.events.some((event) => event.kind === 'heartbeat' && event.completedDecodes === 6)).toBe(true)
  })

  test('slow but going on: left alone', async () => {
    const { model, live } = await start()
    const running = model.generate(createTestRequest('a'), () => {}, never)
    running.catch(() => {})
    for (let decode = 1; decode < 10; decode++) live(2500, { completedDecodes: decode, slowestDecodeMs: 2500 })
    expect(model.status.kind).toBe('ready')
    expect(model.slotsUsed).toBe(1)
  })

  test('unheard because this process was late: left alone', async () => {
    const clock = createManualClock()
    const children = createFakeChildren()
    let lateMs = 0
    const lateClock = { ...clock, nowMs: () => clock.nowMs() + lateMs }
    const options = { modelId: modelId('m'), command, clock: lateClock, log: createFakeLog(), startChild: children.start }
    const starting = SupervisedModel.start(options, () => {}, never)
    children.last().say({ kind: 'loaded', facts: fakeFacts })
    const model = await starting
    lateMs = 30_000
    clock.advance(250)
    expect(model.status.kind).toBe('ready')
  })
})

describe('requests', () => {
  test('carry their own epoch and count their own tokens, whatever the order of the runs', async () => {
    const { children, model } = await start()
    const first = collectEvents()
    const second = collectEvents()
    const running = [
      model.generate(createTestRequest('a', { epoch: 1 }), first.onEvent, never),
      model.generate(createTestRequest('b', { epoch: 2 }), second.onEvent, never),
    ]
    children.last().say({
      kind: 'events',
      events: [
        { kind: 'tokens', run: 2, tokenIds: [7, 8], text: 'x' },
        { kind: 'tokens', run: 1, tokenIds: [9], text: 'y' },
        { kind: 'tokens', run: 2, tokenIds: [], text: 'z' },
        { kind: 'finished', run: 2, reason: 'stop' },
        { kind: 'finished', run: 1, reason: 'length' },
      ],
    })
    await Promise.all(running)
    expect(first.events).toEqual([
      { kind: 'tokens', epoch: 1, seq: 0, tokenIds: [9], text: 'y' },
      { kind: 'finished', reason: 'length', completionTokens: 1 },
    ])
    expect(second.events).toEqual([
      { kind: 'tokens', epoch: 2, seq: 0, tokenIds: [7, 8], text: 'x' },
      { kind: 'tokens', epoch: 2, seq: 2, tokenIds: [], text: 'z' },
      { kind: 'finished', reason: 'stop', completionTokens: 2 },
    ])
  })

  test('keep their slot until the child has stopped', async () => {
    const { children, model } = await start()
    const cancel = new AbortController()
    const running = model.generate(createTestRequest('a'), () => {}, cancel.signal)
    const ended = expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    cancel.abort()
    expect(children.last().received.at(-1)).toEqual({ kind: 'cancel', run: 1 })
    expect(model.slotsUsed).toBe(1)
    children.last().say({ kind: 'events', events: [{ kind: 'failed', run: 1, error: { code: 'CANCELLED', message: 'cancelled' } }] })
    await ended
    expect(model.slotsUsed).toBe(0)
  })

  test('whose receiver throws end alone', async () => {
    const { children, model } = await start()
    const bad = model.generate(
      createTestRequest('a'),
      () => {
        throw new Error('receiver broke')
      },
      never,
    )
    const ended = expect(bad).rejects.toThrow('receiver broke')
    const good = collectEvents()
    const running = model.generate(createTestRequest('b'), good.onEvent, never)
    children.last().say({ kind: 'events', events: [{ kind: 'tokens', run: 1, tokenIds: [1], text: 'x' }] })
    await ended
    expect(children.last().received.at(-1)).toEqual({ kind: 'cancel', run: 1 })
    children.last().say({ kind: 'events', events: [{ kind: 'finished', run: 2, reason: 'stop' }] })
    await running
    expect(good.events).toHaveLength(1)
  })
})

describe('disposing', () => {
  test('asks the child to go, and kills it when it does not', async () => {
    const { clock, children, model } = await start()
    const disposing = model[Symbol.asyncDispose]()
    expect(children.last().received.at(-1)).toEqual({ kind: 'exit' })
    expect(children.last().killed).toBe(false)
    clock.advance(1500)
    expect(children.last().killed).toBe(true)
    children.last().exit()
    await disposing
    expect(model.status).toEqual({ kind: 'closed' })
  })

  test('ends even when a killed process does not disappear', async () => {
    const { clock, model } = await start()
    const disposing = model[Symbol.asyncDispose]()
    clock.advance(10_000)
    await disposing
  })

  test('while restarting starts no other child', async () => {
    const { clock, children, model } = await start()
    children.last().exit()
    const disposing = model[Symbol.asyncDispose]()
    clock.advance(60_000)
    await disposing
    expect(children.all).toHaveLength(1)
  })

  test('while the next child loads ends that one', async () => {
    const { clock, children, model } = await start()
    children.last().exit()
    clock.advance(250)
    expect(children.all).toHaveLength(2)
    const disposing = model[Symbol.asyncDispose]()
    expect(children.last().killed || children.last().received.at(-1)?.kind === 'exit').toBe(true)
    children.last().exit()
    clock.advance(60_000)
    await disposing
    expect(children.all).toHaveLength(2)
    expect(model.status).toEqual({ kind: 'closed' })
  })
})
