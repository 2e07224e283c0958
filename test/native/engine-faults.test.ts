import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { modelId } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { createLlamaEngine, estimateMemory, probeGpus } from '@shoal/engine'
import { collectEvents, createTestRequest } from '@shoal/engine/testing'
import { systemClock } from '@shoal/runtime'
import { afterAll, describe, expect, test } from 'vitest'
import { type LoadedForTest, loadForTest, startTestModels, until } from './engine-models.ts'

const models = await startTestModels()
afterAll(() => models[Symbol.asyncDispose]())
const never = new AbortController().signal

/** A request that runs until something ends it; resolves when its first tokens have come. */
async function startEndlessRequest(loaded: LoadedForTest) {
  const seen = collectEvents()
  const ended = loaded.model.generate(createTestRequest('Go on and on.', { tokensMax: null }), seen.onEvent, never).then(
    () => null,
    (error: unknown) => error,
  )
  await until(() => seen.ids.length > 3, 10_000)
  return { seen, ended }
}

async function serves(loaded: LoadedForTest): Promise<void> {
  await until(() => loaded.model.status.kind === 'ready', 20_000)
  const seen = collectEvents()
  await loaded.model.generate(createTestRequest('Are you back?'), seen.onEvent, never)
  expect(seen.events.at(-1)).toMatchObject({ kind: 'finished', completionTokens: 24 })
}

describe('an engine child', () => {
  test('killed during a request: an explicit error at once, a new child, the next request succeeds', async () => {
    await using loaded = await loadForTest(await models.path('llama'), { contextTokens: 8192 })
    const { ended } = await startEndlessRequest(loaded)
    const before = loaded.pid()
    const startedMs = performance.now()
    process.kill(before, 'SIGKILL')
    expect(await ended).toMatchObject({ code: 'ENGINE_CRASHED', message: expect.stringContaining('SIGKILL') })
    const noticedMs = performance.now() - startedMs
    console.info(`kill -9 noticed after ${noticedMs.toFixed(0)} ms`)
    expect(noticedMs).toBeLessThan(3000)
    await serves(loaded)
    expect(loaded.pid()).not.toBe(before)
  })

  test('stopped during a request: noticed within 3 s, killed and replaced', async () => {
    await using loaded = await loadForTest(await models.path('llama'), { contextTokens: 8192 })
    const { ended } = await startEndlessRequest(loaded)
    const before = loaded.pid()
    const startedMs = performance.now()
    process.kill(before, 'SIGSTOP')
    expect(await ended).toMatchObject({ code: 'ENGINE_STUCK' })
    const noticedMs = performance.now() - startedMs
    console.info(`SIGSTOP noticed after ${noticedMs.toFixed(0)} ms`)
    expect(noticedMs).toBeLessThan(3000)
    await serves(loaded)
    expect(() => process.kill(before, 0)).toThrow('ESRCH')
  })

  test('stopped while idle: noticed within 3 s, and replaced', async () => {
    await using loaded = await loadForTest(await models.path('llama'))
    const before = loaded.pid()
    process.kill(before, 'SIGSTOP')
    const noticedMs = await until(() => loaded.model.status.kind !== 'ready', 5000)
    expect(noticedMs).toBeLessThan(3000)
    await serves(loaded)
  })

  test('stopped while being disposed: killed within a bound', async () => {
    const loaded = await loadForTest(await models.path('llama'))
    const pid = loaded.pid()
    process.kill(pid, 'SIGSTOP')
    const startedMs = performance.now()
    await loaded[Symbol.asyncDispose]()
    expect(performance.now() - startedMs).toBeLessThan(3000)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })

  test('sends heartbeats that count decodes while a request runs', async () => {
    await using loaded = await loadForTest(await models.path('llama'), { contextTokens: 8192 })
    const cancel = new AbortController()
    const seen = collectEvents()
    const running = loaded.model.generate(createTestRequest('Go on.', { tokensMax: null }), seen.onEvent, cancel.signal)
    const counts = () => seen.events.flatMap((event) => (event.kind === 'heartbeat' ? [event.completedDecodes] : []))
    await until(() => counts().length >= 3, 10_000)
    cancel.abort()
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(counts()).toEqual(counts().toSorted((a, b) => a - b))
    expect(counts().at(-1)).toBeGreaterThan(counts()[0] ?? 0)
  })
})

/** Stops the threads on which native code runs, and leaves the event loop turning; they go on when this process ends. */
const stopWorkers = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
pid = sys.argv[1]
stopped = 0
for tid in os.listdir('/proc/%s/task' % pid):
    with open('/proc/%s/task/%s/comm' % (pid, tid)) as comm:
        if not comm.read().startswith('libuv-worker'): continue
    if libc.ptrace(0x4206, int(tid), None, None) == 0 and libc.ptrace(0x4207, int(tid), None, None) == 0: stopped += 1
print(stopped, flush=True)
sys.stdin.read()
`

/** PTRACE_SEIZE is Linux's, and needs a python to call it. */
function cannotStopThreads(): string | null {
  if (process.platform !== 'linux') return 'only Linux can stop single threads'
  return spawnSync('python3', ['-c', 'import ctypes']).status === 0 ? null : 'python3 is needed to stop single threads'
}

test('a prompt of 20 MB is refused, and costs neither the child nor its other requests', async () => {
  await using loaded = await loadForTest(await models.path('llama'))
  const before = loaded.pid()
  const huge = loaded.model.generate(createTestRequest('fish in the sea '.repeat(1_250_000)), () => {}, never)
  const beside = collectEvents()
  const running = loaded.model.generate(createTestRequest('And beside it?'), beside.onEvent, never)
  await expect(huge).rejects.toMatchObject({
    code: 'CONTEXT_LENGTH_EXCEEDED',
    message: expect.stringMatching(/at least \d+ tokens.* 512,/),
  })
  await running
  expect(beside.ids).toHaveLength(24)
  expect(loaded.pid()).toBe(before)
})

describe('native code that hangs while the event loop turns', () => {
  const reason = cannotStopThreads()
  if (reason !== null && process.env.REQUIRE_ALL === '1') throw new Error(reason)
  if (reason !== null) console.info(`skipped: ${reason}`)

  test.skipIf(reason !== null)('heartbeats go on and grow old, then the child is killed and replaced', async () => {
    await using loaded = await loadForTest(await models.path('llama'), { contextTokens: 8192 })
    const { seen, ended } = await startEndlessRequest(loaded)
    const before = loaded.pid()
    const startedMs = performance.now()
    const stopper = spawn('python3', ['-c', stopWorkers, String(before)], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      const [stopped] = await once(stopper.stdout, 'data')
      expect(Number(stopped)).toBeGreaterThan(0)
      expect(await ended).toMatchObject({ code: 'ENGINE_STUCK', message: expect.stringContaining('completed no decode') })
      console.info(`native hang noticed after ${(performance.now() - startedMs).toFixed(0)} ms`)
      const ages = seen.events.flatMap((event) => (event.kind === 'heartbeat' ? [event.runningDecodeAgeMs ?? 0] : []))
      expect(ages.at(-1)).toBeGreaterThan(1000)
      await serves(loaded)
      expect(loaded.pid()).not.toBe(before)
    } finally {
      stopper.kill()
    }
  })
})

describe('a child whose parent dies', () => {
  test('ends with it', async () => {
    const program = `
      import { createLlamaEngine } from '@shoal/engine'
      import { createFakeLog } from '@shoal/core/testing'
      import { systemClock } from '@shoal/runtime'
      const engine = createLlamaEngine({ log: createFakeLog(), clock: systemClock, gpu: false })
      const options = { contextTokens: 512, slots: 1, threads: 1, gpuLayers: 0 }
      const model = await engine.loadModel({ modelId: 'm', path: process.argv[1], options }, () => {}, new AbortController().signal)
      console.log(model.pid)
    `
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program, await models.path('llama')], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(line)
    expect(() => process.kill(pid, 0)).not.toThrow()
    parent.kill('SIGKILL')
    const isGone = () => {
      try {
        process.kill(pid, 0)
        return false
      } catch {
        return true
      }
    }
    await until(isGone, 3000)
  })
})

describe('a file that is no model', () => {
  const load = (path: string) =>
    createLlamaEngine({ log: createFakeLog(), clock: systemClock, gpu: false }).loadModel(
      { modelId: modelId('bad'), path, options: { contextTokens: 512, slots: 1, threads: 1, gpuLayers: 0 } },
      () => {},
      never,
    )

  test('missing: MODEL_FILE_MISSING', async () => {
    await expect(load(join(models.directory, 'none.gguf'))).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' })
  })

  test('something else: MODEL_FILE_INVALID', async () => {
    const path = join(models.directory, 'text.gguf')
    await writeFile(path, 'This is not a model. '.repeat(100))
    await expect(load(path)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' })
  })

  test('cut off: MODEL_FILE_INVALID, and the words of the native code', async () => {
    const whole = await readFile(await models.path('llama'))
    const path = join(models.directory, 'cut.gguf')
    await writeFile(path, whole.subarray(0, whole.length / 2))
    await expect(load(path)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID', message: expect.stringContaining('cut.gguf') })
  })

  test('of an architecture nobody knows: LOAD_FAILED or MODEL_FILE_INVALID that names it', async () => {
    const whole = await readFile(await models.path('llama'))
    const path = join(models.directory, 'unknown.gguf')
    await writeFile(path, Buffer.from(whole.toString('latin1').replaceAll('llama', 'lhama'), 'latin1'))
    await expect(load(path)).rejects.toMatchObject({
      code: expect.stringMatching(/LOAD_FAILED|MODEL_FILE_INVALID/),
      message: expect.stringContaining('lhama'),
    })
  })
})

test('a context that no memory can hold is refused with MODEL_DOES_NOT_FIT', async () => {
  const loading = loadForTest(await models.path('llama'), { contextTokens: 1e9 })
  await expect(loading).rejects.toMatchObject({ code: 'MODEL_DOES_NOT_FIT' })
})

describe('questions to a child without a model', () => {
  test('memory is estimated from the header alone, and grows with context and slots', async () => {
    const log = createFakeLog()
    const whole = await readFile(await models.path('qwen35'))
    const path = join(models.directory, 'header.gguf')
    await writeFile(path, whole.subarray(0, whole.length - 100_000))
    const ask = (contextTokens: number, slots: number) => estimateMemory({ path, contextTokens, slots, gpuLayers: 0, gpu: false, log })
    const small = await ask(512, 1)
    const long = await ask(4096, 1)
    const wide = await ask(512, 8)
    expect(small.model.ramBytes).toBeGreaterThan(0)
    expect(small.model).toEqual(long.model)
    expect(long.context.ramBytes).toBeGreaterThan(small.context.ramBytes)
    expect(wide.context.ramBytes).toBeGreaterThan(small.context.ramBytes)
    expect(small.processRamBytes).toBeGreaterThan(50e6)
    await expect(
      estimateMemory({ path: join(models.directory, 'none.gguf'), contextTokens: 1, slots: 1, gpuLayers: 0, log }),
    ).rejects.toMatchObject({
      code: 'MODEL_FILE_MISSING',
    })
  })

  test('GPUs are those the library can use', async () => {
    for (const gpu of await probeGpus({ log: createFakeLog() })) {
      expect(gpu.name).not.toBe('')
      expect(gpu.vramTotalBytes === null || gpu.vramTotalBytes > 0).toBe(true)
    }
  })
})
