import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Engine, type EngineLoadSpec, type ModelManifest, modelId, type NodeProfile, ShoalError } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { createMockEngine } from '@shoal/engine/testing'
import { createFakeNodeProfile } from '@shoal/hardware/testing'
import { type Candidate, dimensionsOfManifest } from '@shoal/planner'
import { systemClock } from '@shoal/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from '../agent.ts'
import { hubModelBytes } from '../hub/download-model.ts'
import { type FakeHub, fakeCommit, startFakeHub } from '../testing/fake-hub.ts'
import { fakeManifest } from '../testing/fake-manifest.ts'
import { type StartEvent, type StartModelOptions, serveStartModel } from './start-model.ts'

const gibibyte = 2 ** 30
let home: string
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'shoal-start-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** Files are a few kilobytes that stand for a thousand million times as much: their header says so. */
const scale = 2 ** 20
const contentOf = (name: string, gib: number) => Buffer.alloc(gib * 1024, name)
async function readManifest(file: string): Promise<ModelManifest> {
  const bytes = (await stat(file)).size
  if (file.endsWith('shoal-demo.gguf')) return fakeManifest({ isDemo: true, fileBytes: bytes })
  return manifestOf(bytes)
}
const manifestOf = (bytes: number) =>
  fakeManifest({
    fileBytes: bytes * scale,
    tensorGroupBytes: { embedding: 0, output: 0, attention: bytes * scale, feedForward: 0, experts: 0, other: 0 },
  })

function candidate(name: string, gib: number, rank: number): Candidate {
  const content = contentOf(name, gib)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return {
    modelId: modelId(`o/${name}-GGUF:Q4_0`),
    name,
    source: { kind: 'hub', repo: `o/${name}-GGUF`, file: `${name}-Q4_0.gguf`, revision: fakeCommit, bytes: content.byteLength, sha256 },
    dimensions: dimensionsOfManifest(manifestOf(content.byteLength)),
    rank,
    parameterCount: gib * 1e9,
    isDemo: false,
    fetchBytes: content.byteLength,
  }
}
const small = candidate('small', 1, 30)
const best = candidate('best', 4, 80)
const hubFiles = [
  { repo: 'o/small-GGUF', path: 'small-Q4_0.gguf', content: contentOf('small', 1) },
  { repo: 'o/best-GGUF', path: 'best-Q4_0.gguf', content: contentOf('best', 4) },
]

const machine = (availableGib = 12): NodeProfile =>
  createFakeNodeProfile({
    memory: {
      totalBytes: 16 * gibibyte,
      limitBytes: 16 * gibibyte,
      availableBytes: availableGib * gibibyte,
      bandwidthBytesPerSecond: 200e9,
    },
  })

interface Setting {
  readonly hub?: FakeHub | null
  readonly profile?: () => NodeProfile
  readonly failing?: (spec: EngineLoadSpec) => boolean
}

async function start({ hub = null, profile = () => machine(), failing = () => false }: Setting = {}) {
  const loads: string[] = []
  /** How many models were there when each load began. */
  const besides: number[] = []
  let present = 0
  const mock = createMockEngine({ clock: systemClock, answerTokens: 4, tokenIntervalMs: 20 })
  const engine: Engine = {
    async loadModel(spec, onProgress, signal) {
      loads.push(path.basename(spec.path))
      besides.push(present)
      if (failing(spec)) throw new ShoalError({ code: 'LOAD_FAILED', message: 'the engine does not know this architecture' })
      const model = await mock.loadModel(spec, onProgress, signal)
      present += 1
      const dispose = model[Symbol.asyncDispose].bind(model)
      model[Symbol.asyncDispose] = async () => {
        await dispose()
        present -= 1
      }
      return model
    },
  }
  const agent = await startAgent(
    {
      directories: { state: path.join(home, 'state'), models: path.join(home, 'models'), cache: path.join(home, 'cache') },
      ...{ host: '127.0.0.1', port: 0, announce: false, insecureLan: false, engine, log: createFakeLog(), clock: systemClock },
    },
    {
      profile: async () => profile(),
      freshProfile: async () => profile(),
      estimateMemory: async () => null,
      readManifest,
      readRemoteManifest: async (model) => manifestOf(hubModelBytes(model) ?? 0),
      catalog: () => [best, small],
      hub: {
        address: { endpoint: hub?.endpoint ?? 'http://127.0.0.1:9', token: null },
        fetch: globalThis.fetch,
        limits: { firstBackoffMs: 1, backoffMsMax: 2, attempts: 2, unansweredAttempts: 2 },
      },
    },
  )
  const events: StartEvent[] = []
  const serve = (options: Partial<StartModelOptions> = {}) =>
    serveStartModel(agent, {
      ...{ model: null, offline: false, contextTokens: null, slots: null, signal: new AbortController().signal },
      onEvent: (event) => events.push(event),
      ...options,
    })
  const notes = () => events.flatMap((event) => (event.kind === 'note' ? [event.text] : [])).join('\n')
  return { agent, loads, besides, events, notes, serve }
}

async function put(name: string, gib: number): Promise<string> {
  const file = path.join(home, 'models', `${name}.gguf`)
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, contentOf(name, gib))
  return file
}

async function servedBy(agent: Agent): Promise<readonly string[]> {
  const abort = new AbortController()
  let ids: readonly string[] = []
  await agent.api.watch(
    { heartbeatMs: 1000 },
    (state) => {
      ids = state.models.filter((model) => model.status === 'ready').map((model) => model.modelId)
      abort.abort()
    },
    abort.signal,
  )
  return ids
}

describe('what an agent serves at its start', () => {
  test('the best file of the models folder, without asking the hub', async () => {
    await put('tiny', 1)
    await put('larger', 5)
    await using hub = await startFakeHub({ files: hubFiles })
    const { agent, serve } = await start({ hub })
    await using _ = agent
    const { state, better } = await serve()
    expect(state).toMatchObject({ modelId: 'larger', status: 'ready' })
    expect(await better).toBeNull()
    expect(hub.requests).toEqual([])
  })

  test('else the smallest of the hub, then the best in its place, and both are told with bytes', async () => {
    await using hub = await startFakeHub({ files: hubFiles })
    const { agent, serve, events, notes, loads, besides } = await start({ hub })
    await using _ = agent
    const { state, better } = await serve()
    expect(state.modelId).toBe(small.modelId)
    expect(notes()).toContain(`${small.modelId} first`)
    expect((await better)?.modelId).toBe(best.modelId)
    expect(await servedBy(agent)).toEqual([best.modelId])
    expect(loads).toEqual(['small-Q4_0.gguf', 'best-Q4_0.gguf'])
    expect(besides).toEqual([0, 1])
    const fetched = events.flatMap((event) => (event.kind === 'download' ? [`${event.modelId} ${event.bytes}/${event.totalBytes}`] : []))
    expect(fetched).toContain(`${small.modelId} 1024/1024`)
    expect(fetched).toContain(`${best.modelId} 4096/4096`)
    expect(events.some((event) => event.kind === 'load' && event.modelId === best.modelId)).toBe(true)
  })

  test('a running answer survives the swap', async () => {
    const held = Promise.withResolvers<void>()
    let answers = 0
    await using hub = await startFakeHub({ files: hubFiles, beforeFile: () => (answers++ === 1 ? held.promise : Promise.resolve()) })
    const { agent, serve } = await start({ hub })
    await using _ = agent
    const { better } = await serve()
    const kinds: string[] = []
    const accepted = Promise.withResolvers<void>()
    const answer = agent.api.generate(
      requestTo(small.modelId),
      (event) => {
        kinds.push(event.kind)
        accepted.resolve()
      },
      new AbortController().signal,
    )
    await accepted.promise
    held.resolve()
    await Promise.all([better, answer])
    expect(kinds.at(-1)).toBe('finished')
  })

  test('where both do not fit, the old one leaves before the new one comes', async () => {
    await using hub = await startFakeHub({ files: hubFiles })
    // Room for 4 GiB of weights and what goes with them, not for 5.
    const { agent, serve, loads, besides } = await start({ hub, profile: () => machine(5.8) })
    await using _ = agent
    const { better } = await serve()
    expect((await better)?.modelId).toBe(best.modelId)
    expect(loads).toEqual(['small-Q4_0.gguf', 'best-Q4_0.gguf'])
    expect(besides).toEqual([0, 0])
  })

  test('a better one that fails to load leaves the first one serving', async () => {
    await using hub = await startFakeHub({ files: hubFiles })
    const { agent, serve, notes } = await start({ hub, profile: () => machine(5.8), failing: (spec) => spec.path.includes('best') })
    await using _ = agent
    const { better } = await serve()
    expect(await better).toBeNull()
    expect(await servedBy(agent)).toEqual([small.modelId])
    expect(notes()).toContain(`${best.modelId} could not take over`)
  })

  test('a better one whose download fails leaves the first one serving', async () => {
    await using hub = await startFakeHub({ files: hubFiles, fileStatuses: [0, 500, 500, 500, 500] })
    const { agent, serve, notes } = await start({ hub })
    await using _ = agent
    const { better } = await serve()
    expect(await better).toBeNull()
    expect(await servedBy(agent)).toEqual([small.modelId])
    expect(notes()).toContain('goes on serving')
  })

  test('the demo when the hub cannot be reached, saying so and what to do', async () => {
    const { agent, serve, notes } = await start()
    await using _ = agent
    expect((await serve()).state).toMatchObject({ modelId: 'shoal-demo', isDemo: true })
    expect(notes()).toContain('cannot be reached')
    expect(notes()).toContain(path.join(home, 'models'))
    expect(notes()).toContain('--model')
  })

  test('the demo without a question to the hub when told to stay offline', async () => {
    await using hub = await startFakeHub({ files: hubFiles })
    const { agent, serve, notes } = await start({ hub })
    await using _ = agent
    expect((await serve({ offline: true })).state.isDemo).toBe(true)
    expect(hub.requests).toEqual([])
    expect(notes()).toContain('--offline')
  })

  test('the demo when every download fails', async () => {
    await using hub = await startFakeHub({ files: hubFiles, fileStatuses: Array.from({ length: 20 }, () => 500) })
    const { agent, serve, notes } = await start({ hub })
    await using _ = agent
    expect((await serve()).state.isDemo).toBe(true)
    expect(notes()).toContain(`${small.modelId} could not be served`)
  })

  test('the next file when the best one does not load', async () => {
    await put('tiny', 1)
    await put('larger', 5)
    const { agent, serve, notes } = await start({ failing: (spec) => spec.path.includes('larger') })
    await using _ = agent
    expect((await serve()).state.modelId).toBe('tiny')
    expect(notes()).toContain('larger could not be served: the engine does not know this architecture')
  })

  test('nothing larger than the memory, even if it is here', async () => {
    await put('tiny', 1)
    await put('huge', 40)
    const { agent, serve } = await start()
    await using _ = agent
    expect((await serve()).state.modelId).toBe('tiny')
  })

  test('an embedding model in the folder is not taken for one that chats', async () => {
    await put('nomic-embed-text-v1.5', 2)
    const { agent, serve } = await start()
    await using _ = agent
    expect((await serve()).state.isDemo).toBe(true)
  })
})

describe('a model that was asked for', () => {
  test('by a path, absolute or relative', async () => {
    const file = await put('mine', 1)
    const { agent, serve } = await start()
    await using _ = agent
    expect((await serve({ model: file })).state.modelId).toBe('mine')
    await agent.api.unloadModel(modelId('mine'), new AbortController().signal)
    expect((await serve({ model: path.relative(process.cwd(), file) })).state.modelId).toBe('mine')
  })

  test('by the name of a file in the folder', async () => {
    await put('mine', 1)
    const { agent, serve } = await start()
    await using _ = agent
    expect((await serve({ model: 'mine' })).state.modelId).toBe('mine')
  })

  test('at the hub, with its bytes told, and from the disk the next time', async () => {
    await using hub = await startFakeHub({ files: hubFiles })
    const { agent, serve, events } = await start({ hub })
    await using _ = agent
    const { state } = await serve({ model: 'hf:o/small-GGUF:Q4_0' })
    expect(state.modelId).toBe('o/small-GGUF:Q4_0')
    expect(events.some((event) => event.kind === 'download' && event.bytes === 1024)).toBe(true)
    await agent.api.unloadModel(state.modelId, new AbortController().signal)
    const before = hub.requests.length
    expect((await serve({ model: 'hf:o/small-GGUF:Q4_0', offline: true })).state.status).toBe('ready')
    expect(hub.requests).toHaveLength(before)
  })

  test.each([
    ['/nowhere/x.gguf', 'MODEL_FILE_MISSING'],
    ['ghost', 'MODEL_FILE_MISSING'],
    ['hf:o/small-GGUF:Q2_K', 'MODEL_UNKNOWN'],
    ['hf:no/body', 'MODEL_UNKNOWN'],
    ['hf:nonsense', 'INVALID_REQUEST'],
    ['', 'INVALID_REQUEST'],
  ])('as "%s" ends in %s and not in another model', async (model, code) => {
    await put('tiny', 1)
    await using hub = await startFakeHub({ files: hubFiles })
    const { agent, serve, loads } = await start({ hub })
    await using _ = agent
    await expect(serve({ model })).rejects.toMatchObject({ code })
    expect(loads).toEqual([])
  })

  test('that does not fit is refused with its numbers', async () => {
    const file = await put('huge', 40)
    const { agent, serve } = await start()
    await using _ = agent
    await expect(serve({ model: file })).rejects.toMatchObject({ code: 'MODEL_DOES_NOT_FIT', message: expect.stringContaining('GiB') })
  })

  test('at the hub that could never fit is not fetched at all', async () => {
    const content = contentOf('giant', 40)
    await using hub = await startFakeHub({ files: [{ repo: 'o/giant-GGUF', path: 'giant-Q4_0.gguf', content }] })
    // 40 KiB here; a machine with less than four times as much has to look into the header.
    const { agent, serve } = await start({ hub, profile: () => machine(100 / scale) })
    await using _ = agent
    await expect(serve({ model: 'hf:o/giant-GGUF:Q4_0' })).rejects.toMatchObject({ code: 'MODEL_DOES_NOT_FIT' })
    expect(hub.requests.filter((request) => request.url.includes('/resolve/'))).toEqual([])
  })

  test('is given up when the start is cancelled', async () => {
    await using hub = await startFakeHub({ files: hubFiles, beforeFile: () => new Promise(() => undefined) })
    const { agent, serve } = await start({ hub })
    await using _ = agent
    const abort = new AbortController()
    const serving = serve({ model: 'hf:o/small-GGUF:Q4_0', signal: abort.signal })
    const refused = expect(serving).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect.poll(() => hub.requests.some((request) => request.url.includes('/resolve/'))).toBe(true)
    abort.abort()
    await refused
  })
})

function requestTo(model: Candidate['modelId']) {
  return {
    requestId: 'r',
    modelId: model,
    epoch: 1,
    messages: [{ role: 'user', content: 'hello' }],
    sampling: { temperature: 0 },
    tokensMax: null,
    thinking: false,
  } as unknown as Parameters<Agent['api']['generate']>[0]
}
