import {
  defaultSampling,
  type Engine,
  type GenerateEvent,
  type InferenceRequest,
  type LoadModelCommand,
  modelId,
  type NodeModelState,
  requestId,
  ShoalError,
} from '@shoal/core'
import { createFakeLog, createManualClock } from '@shoal/core/testing'
import { createMockEngine, type MockEngineOptions } from '@shoal/engine/testing'
import { systemClock } from '@shoal/runtime'
import { describe, expect, test } from 'vitest'
import { fakeLoadPlan } from '../testing/fake-load-plan.ts'
import { fakeManifest } from '../testing/fake-manifest.ts'
import { createModelHost, type LoadSteps } from './model-host.ts'

const model = modelId('tiny')
const command: LoadModelCommand = { modelId: model, source: { kind: 'local', path: null }, contextTokens: null, slots: null }
const request: InferenceRequest = {
  requestId: requestId('r'),
  modelId: model,
  epoch: 1,
  messages: [{ role: 'user', content: 'hello' }],
  sampling: defaultSampling,
  tokensMax: null,
  thinking: false,
}
const never = new AbortController().signal

function createHost(overrides: Partial<LoadSteps> & { readonly mock?: Partial<MockEngineOptions> } = {}) {
  const loads: string[] = []
  const mock = createMockEngine({ clock: systemClock, ...overrides.mock })
  const engine: Engine = {
    loadModel(spec, onProgress, signal) {
      loads.push(spec.modelId)
      return mock.loadModel(spec, onProgress, signal)
    },
  }
  let changes = 0
  const host = createModelHost({
    clock: systemClock,
    log: createFakeLog(),
    onChange: () => changes++,
    steps: {
      engine,
      obtain: async () => ({ path: '/models/tiny.gguf', sha256: null, manifest: fakeManifest() }),
      fit: async (_, { contextTokens, slots }) => fakeLoadPlan({ contextTokens: contextTokens ?? 256, slots: slots ?? 2 }),
      loaded: () => undefined,
      ...overrides,
    },
  })
  return { host, loads, changes: () => changes }
}

const ignore = () => undefined
/** A request that runs until it is cancelled or its model ends; `started` resolves when it has its slot. */
function startRequest(host: ReturnType<typeof createHost>['host'], wanted = request) {
  const abort = new AbortController()
  const started = Promise.withResolvers<void>()
  const events: GenerateEvent[] = []
  const ended = host
    .generate(
      wanted,
      (event) => {
        events.push(event)
        if (event.kind === 'accepted') started.resolve()
      },
      abort.signal,
    )
    .then(
      () => null,
      (error: unknown) => ShoalError.from(error).code,
    )
  return { abort, started: started.promise, ended, events }
}

const slow = { tokenIntervalMs: 1000 }

describe('loading', () => {
  test('reports the way to ready, and is then one of the states', async () => {
    await using fixture = disposable(createHost())
    const seen: NodeModelState[] = []
    const ready = await fixture.host.load(command, (state) => seen.push(state), never)
    expect(ready).toMatchObject({ status: 'ready', slotsTotal: 2, contextTokens: 256, plannedBytes: expect.any(Number), slotsUsed: 0 })
    expect(seen.map((state) => state.status)).toContain('loading')
    expect(seen.at(-1)?.status).toBe('ready')
    expect(fixture.host.states()).toEqual([ready])
  })

  test('asked for twice at once, or again later, is one load', async () => {
    await using fixture = disposable(createHost())
    await Promise.all([fixture.host.load(command, ignore, never), fixture.host.load(command, ignore, never)])
    await fixture.host.load({ ...command, contextTokens: 256, slots: 2 }, ignore, never)
    expect(fixture.loads).toEqual(['tiny'])
  })

  test('with another size than the loaded one is refused by name', async () => {
    await using fixture = disposable(createHost())
    await fixture.host.load(command, ignore, never)
    const other = fixture.host.load({ ...command, contextTokens: 512 }, ignore, never)
    await expect(other).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('256 tokens') })
    expect(fixture.host.states()[0]?.status).toBe('ready')
  })

  test('goes on when the caller has gone', async () => {
    const gate = Promise.withResolvers<void>()
    await using fixture = disposable(
      createHost({ obtain: () => gate.promise.then(() => ({ path: '/x', sha256: null, manifest: fakeManifest() })) }),
    )
    const abort = new AbortController()
    const first = fixture.host.load(command, ignore, abort.signal)
    abort.abort()
    await expect(first).rejects.toMatchObject({ code: 'CANCELLED' })
    const second = fixture.host.load(command, ignore, never)
    gate.resolve()
    expect((await second).status).toBe('ready')
    expect(fixture.loads).toEqual(['tiny'])
  })

  test('is ended by unloading', async () => {
    const obtain: LoadSteps['obtain'] = (_, __, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new ShoalError({ code: 'CANCELLED', message: 'gone' }))),
      )
    await using fixture = disposable(createHost({ obtain }))
    const loading = fixture.host.load(command, ignore, never)
    const refused = expect(loading).rejects.toMatchObject({ code: 'CANCELLED' })
    await fixture.host.unload(model)
    await refused
    expect(fixture.host.states()).toEqual([])
  })

  test('that fails stays visible with its reason, and can be tried again', async () => {
    let attempts = 0
    const fit: LoadSteps['fit'] = async () => {
      if (attempts++ === 0) throw new ShoalError({ code: 'MODEL_DOES_NOT_FIT', message: 'needs 9 GiB, has 8 GiB.' })
      return fakeLoadPlan({ contextTokens: 1, slots: 1 })
    }
    await using fixture = disposable(createHost({ fit }))
    await expect(fixture.host.load(command, ignore, never)).rejects.toMatchObject({ code: 'MODEL_DOES_NOT_FIT' })
    expect(fixture.host.states()).toMatchObject([{ status: 'failed', error: expect.stringContaining('needs 9 GiB') }])
    expect((await fixture.host.load(command, ignore, never)).status).toBe('ready')
  })

  test('is done one at a time, so that what is free stays true', async () => {
    let inside = 0
    let most = 0
    const fit: LoadSteps['fit'] = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
      return fakeLoadPlan({ contextTokens: 256, slots: 1 })
    }
    await using fixture = disposable(createHost({ fit }))
    await Promise.all(['a', 'b', 'c'].map((name) => fixture.host.load({ ...command, modelId: modelId(name) }, ignore, never)))
    expect(most).toBe(1)
    expect(fixture.host.states()).toHaveLength(3)
  })
})

describe('admission', () => {
  test('gives as many slots as there are, and says busy then', async () => {
    await using fixture = disposable(createHost({ mock: slow }))
    await fixture.host.load(command, ignore, never)
    const running = [startRequest(fixture.host), startRequest(fixture.host)]
    await Promise.all(running.map((each) => each.started))
    expect(fixture.host.states()[0]?.slotsUsed).toBe(2)
    expect(await startRequest(fixture.host).ended).toBe('NODE_BUSY')
    running[0]?.abort.abort()
    expect(await running[0]?.ended).toBe('CANCELLED')
    const next = startRequest(fixture.host)
    await next.started
    expect(fixture.host.states()[0]?.slotsUsed).toBe(2)
  })

  test('knows no model that is not loaded', async () => {
    await using fixture = disposable(createHost())
    expect(await startRequest(fixture.host).ended).toBe('MODEL_UNKNOWN')
  })

  test('after many cancelled requests every slot is free', async () => {
    await using fixture = disposable(createHost({ mock: slow }))
    await fixture.host.load(command, ignore, never)
    for (let round = 0; round < 200; round++) {
      const running = startRequest(fixture.host)
      if (round % 2 === 0) await running.started
      running.abort.abort()
      expect(await running.ended).toBe('CANCELLED')
    }
    expect(fixture.host.states()[0]?.slotsUsed).toBe(0)
  })

  test('a crash of the engine ends its requests and frees their slots', async () => {
    let crash = true
    const failAt = () => (crash ? ('crash' as const) : null)
    await using fixture = disposable(createHost({ mock: { failAt, restartMs: 1 } }))
    await fixture.host.load(command, ignore, never)
    expect(await startRequest(fixture.host).ended).toBe('ENGINE_CRASHED')
    expect(fixture.host.states()).toMatchObject([{ status: 'restarting', slotsUsed: 0, error: expect.any(String) }])
    crash = false
    await expect.poll(() => fixture.host.states()[0]?.status).toBe('ready')
    expect(await startRequest(fixture.host).ended).toBeNull()
  })
})

describe('leaving', () => {
  test('a drain refuses new work at once and waits for what runs', async () => {
    await using fixture = disposable(createHost({ mock: { answerTokens: 3, tokenIntervalMs: 20 } }))
    await fixture.host.load(command, ignore, never)
    const running = startRequest(fixture.host)
    await running.started
    const drained = fixture.host.drain(10_000, never)
    expect(fixture.host.draining).toBe(true)
    expect(await startRequest(fixture.host).ended).toBe('NODE_DRAINING')
    await expect(fixture.host.load(command, ignore, never)).rejects.toMatchObject({ code: 'NODE_DRAINING' })
    expect(await drained).toEqual({ unfinished: 0 })
    expect(await running.ended).toBeNull()
  })

  test('a drain ends at its deadline and tells what was left', async () => {
    const clock = createManualClock()
    const engine = createMockEngine({ clock: systemClock, ...slow })
    await using host = createModelHost({
      clock,
      log: createFakeLog(),
      onChange: ignore,
      steps: {
        engine,
        obtain: async () => ({ path: '/x', sha256: null, manifest: fakeManifest() }),
        fit: async () => fakeLoadPlan({ contextTokens: 256, slots: 2 }),
        loaded: ignore,
      },
    })
    await host.load(command, ignore, never)
    const running = startRequest(host)
    await running.started
    const drained = host.drain(5000, never)
    clock.advance(5000)
    expect(await drained).toEqual({ unfinished: 1 })
    running.abort.abort()
    await running.ended
  })

  test('an unloaded model takes no request, and finishes those it has', async () => {
    await using fixture = disposable(createHost({ mock: { answerTokens: 3, tokenIntervalMs: 20 } }))
    await fixture.host.load(command, ignore, never)
    const running = startRequest(fixture.host)
    await running.started
    const unloaded = fixture.host.unload(model)
    expect(fixture.host.states()).toEqual([])
    expect(await startRequest(fixture.host).ended).toBe('MODEL_UNKNOWN')
    await unloaded
    expect(await running.ended).toBeNull()
    await expect(fixture.host.unload(model)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
  })

  test('an unloaded model counts as memory in use until its last request has ended, also beside its successor', async () => {
    await using fixture = disposable(createHost({ mock: slow }))
    await fixture.host.load(command, ignore, never)
    const running = startRequest(fixture.host)
    await running.started
    const unloaded = fixture.host.unload(model)
    expect(fixture.host.plans()).toHaveLength(1)
    await fixture.host.load(command, ignore, never)
    expect(fixture.host.plans().map(([id]) => id)).toEqual([model, model])
    running.abort.abort()
    await unloaded
    expect(fixture.host.plans()).toHaveLength(1)
  })

  test('a load that does not fit beside an unloaded model waits for its end', async () => {
    const refused = Promise.withResolvers<void>()
    const fit: LoadSteps['fit'] = async () => {
      if (fixture.host.plans().length === 0) return fakeLoadPlan({ contextTokens: 256, slots: 2 })
      refused.resolve()
      throw new ShoalError({ code: 'MODEL_DOES_NOT_FIT', message: 'there is another' })
    }
    await using fixture = disposable(createHost({ mock: slow, fit }))
    await fixture.host.load(command, ignore, never)
    await expect(fixture.host.load({ ...command, modelId: modelId('other') }, ignore, never)).rejects.toThrow('there is another')
    const running = startRequest(fixture.host)
    await running.started
    const unloaded = fixture.host.unload(model)
    const again = fixture.host.load(command, ignore, never)
    await refused.promise
    expect(fixture.loads).toEqual(['tiny'])
    running.abort.abort()
    await unloaded
    expect((await again).status).toBe('ready')
  })

  test('a load that waits for the end of another model is ended by unloading', async () => {
    let fits = true
    const refused = Promise.withResolvers<void>()
    const fit: LoadSteps['fit'] = async () => {
      if (fits) return fakeLoadPlan({ contextTokens: 256, slots: 2 })
      refused.resolve()
      throw new ShoalError({ code: 'MODEL_DOES_NOT_FIT', message: 'there is another' })
    }
    await using fixture = disposable(createHost({ mock: slow, fit }))
    await fixture.host.load(command, ignore, never)
    fits = false
    const running = startRequest(fixture.host)
    await running.started
    const unloaded = fixture.host.unload(model)
    const cancelled = expect(fixture.host.load(command, ignore, never)).rejects.toMatchObject({ code: 'CANCELLED' })
    await refused.promise
    await fixture.host.unload(model)
    await cancelled
    running.abort.abort()
    await unloaded
  })

  test('the end of the node ends unloaded models that still answer', async () => {
    const fixture = createHost({ mock: slow })
    await fixture.host.load(command, ignore, never)
    const running = startRequest(fixture.host)
    await running.started
    const unloaded = fixture.host.unload(model)
    await fixture.host[Symbol.asyncDispose]()
    expect(await running.ended).not.toBeNull()
    await unloaded
    expect(fixture.host.plans()).toEqual([])
  })

  test('every change is told', async () => {
    await using fixture = disposable(createHost({ mock: slow }))
    await fixture.host.load(command, ignore, never)
    const before = fixture.changes()
    const running = startRequest(fixture.host)
    await running.started
    const started = fixture.changes()
    expect(started).toBeGreaterThan(before)
    running.abort.abort()
    await running.ended
    expect(fixture.changes()).toBeGreaterThan(started)
  })
})

function disposable(fixture: ReturnType<typeof createHost>): ReturnType<typeof createHost> & AsyncDisposable {
  return Object.assign(fixture, { [Symbol.asyncDispose]: () => fixture.host[Symbol.asyncDispose]() })
}
