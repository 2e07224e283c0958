import { createFakeNodeProfile } from '@shoal/hardware/testing'
import { describe, expect, test } from 'vitest'
import { fakeLoadPlan } from '../testing/fake-load-plan.ts'
import { fakeManifest } from '../testing/fake-manifest.ts'
import { type LoadQuery, planLoad, profileBeside } from './plan-load.ts'

const gibibyte = 2 ** 30
/** About 5 GiB of weights and 1 GiB of KV cache for 8192 tokens. */
const manifest = fakeManifest({
  fileBytes: 5 * gibibyte,
  layerCount: 32,
  attentionLayerCount: 32,
  headCountKv: 8,
  keyLength: 128,
  valueLength: 128,
  contextTokensTrained: 131_072,
  embeddingLength: 4096,
})
const machine = (availableGib: number) =>
  createFakeNodeProfile({
    memory: {
      totalBytes: 32 * gibibyte,
      limitBytes: 32 * gibibyte,
      availableBytes: availableGib * gibibyte,
      bandwidthBytesPerSecond: null,
    },
  })

function query(overrides: Partial<LoadQuery> = {}): LoadQuery & { readonly asked: unknown[] } {
  const asked: unknown[] = []
  return {
    name: 'big.gguf',
    manifest,
    profile: machine(24),
    wanted: { contextTokens: null, slots: null },
    corrections: {},
    threads: 2,
    estimate: async (shape) => {
      asked.push(shape)
      return null
    },
    asked,
    ...overrides,
  }
}

describe('the plan of a load', () => {
  test('takes the usual shape where there is room, and passes the threads on', async () => {
    expect((await planLoad(query())).options).toEqual({ contextTokens: 8192, slots: 4, threads: 2, gpuLayers: null })
  })

  test('gives up slots first, then context', async () => {
    const shapes = []
    for (const gib of [12, 9.3, 8.3, 7.7]) shapes.push((await planLoad(query({ profile: machine(gib) }))).options)
    const sizes = shapes.map(({ contextTokens, slots }) => `${slots}x${contextTokens}`)
    expect(sizes).toEqual(['4x8192', '2x8192', '1x8192', '1x4096'])
  })

  test('keeps what was asked for, or refuses it by name and number', async () => {
    const wanted = { contextTokens: 32_768, slots: 2 }
    expect((await planLoad(query({ wanted }))).options).toMatchObject(wanted)
    await expect(planLoad(query({ wanted, profile: machine(9) }))).rejects.toMatchObject({
      code: 'MODEL_DOES_NOT_FIT',
      message: expect.stringMatching(
        /^big\.gguf .* needs 15 GiB of RAM for 2 x 32768 tokens, 9\.0 GiB are free: too little for the KV cache/,
      ),
    })
  })

  test('a context beyond what the model was trained on is cut to it', async () => {
    const plan = await planLoad(
      query({ manifest: fakeManifest({ contextTokensTrained: 2048 }), wanted: { contextTokens: 8192, slots: 1 } }),
    )
    expect(plan.options.contextTokens).toBe(2048)
  })

  test('the estimate of the engine decides where it matters', async () => {
    const estimate: LoadQuery['estimate'] = async () => ({
      ...{ contextTokens: 8192, slots: 4, gpuLayers: 0 },
      model: { ramBytes: 5 * gibibyte, vramBytes: 0 },
      context: { ramBytes: 60 * gibibyte, vramBytes: 0 },
    })
    const onlyThat = { contextTokens: 8192, slots: 4 }
    await expect(planLoad(query({ estimate, wanted: onlyThat }))).rejects.toMatchObject({ code: 'MODEL_DOES_NOT_FIT' })
  })

  test('a model that is small beside the memory is not asked about', async () => {
    const small = query({ manifest: fakeManifest() })
    await planLoad(small)
    expect(small.asked).toEqual([])
  })

  test('on a machine with a GPU it says how many layers go there', async () => {
    const profile = {
      ...machine(24),
      gpus: [
        { name: 'RTX 4090', backend: 'cuda', vramTotalBytes: 24 * gibibyte, vramFreeBytes: 24 * gibibyte, unifiedMemory: false },
      ] as const,
    }
    const plan = await planLoad(query({ profile }))
    expect(plan.options.gpuLayers).toBe(33)
    expect(plan.sizing.device).toBe('gpu')
  })
})

describe('the machine beside other models', () => {
  const other = fakeLoadPlan({ contextTokens: 8192, slots: 4 }, manifest)
  const anonymous = (other.sizing.plannedBytes.ram ?? 0) - 5 * gibibyte

  test('mapped weights of models that stay are not free, though the system says so', () => {
    const { memory } = profileBeside(machine(10), { staying: [other], leaving: [] })
    expect(memory.availableBytes).toBe(5 * gibibyte)
  })

  test('what a model that leaves holds comes back, its weights were never gone', () => {
    const { memory } = profileBeside(machine(10), { staying: [], leaving: [other] })
    expect(memory.availableBytes).toBe(10 * gibibyte + anonymous)
  })

  test('a model that leaves gives back no checkpoints: nobody knows whether it has any', () => {
    const hybrid = fakeLoadPlan({ contextTokens: 8192, slots: 4 }, { ...manifest, recurrentStateBytesPerSequence: 50e6 })
    expect(hybrid.sizing.terms.map((term) => term.name)).toContain('checkpoints')
    const { memory } = profileBeside(machine(10), { staying: [], leaving: [hybrid] })
    expect(memory.availableBytes).toBe(10 * gibibyte + anonymous + 4 * 50e6)
  })

  test('never more than the limit, never less than nothing', () => {
    expect(profileBeside(machine(31.9), { staying: [], leaving: [other] }).memory.availableBytes).toBe(32 * gibibyte)
    expect(profileBeside(machine(1), { staying: [other], leaving: [] }).memory.availableBytes).toBe(0)
  })
})
