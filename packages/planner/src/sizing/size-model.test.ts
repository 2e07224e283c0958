import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findCatalogEntry } from '../catalog/catalog.ts'
import { gibibyte, machine, manifest } from '../testing/fixtures.ts'
import { explainSizing } from './explain-sizing.ts'
import { memoryBudget } from './memory-budget.ts'
import { isHeadroom } from './memory-terms.ts'
import { dimensionsOfEntry, dimensionsOfManifest, type ModelDimensions } from './model-dimensions.ts'
import { type Sizing, sizeModel } from './size-model.ts'

const entry = (repo: string, quantization = 'Q4_K_M'): ModelDimensions => {
  const found = findCatalogEntry(repo, quantization)
  if (found === null) throw new Error(`no ${repo}`)
  return dimensionsOfEntry(found)
}
const nineB = entry('unsloth/Qwen3.5-9B-GGUF')
const shape = { contextTokens: 8192, slots: 4 }
const bytesOf = (sizing: Sizing, name: string, memory: 'ram' | 'vram' = 'ram'): number =>
  sizing.terms.find((term) => term.name === name && term.memory === memory)?.bytes ?? 0

describe('the budget', () => {
  it('keeps 512 MiB or 5 % free, and twice that where people sit', () => {
    expect(memoryBudget(machine({ gibibytes: 4 })).ramReserveBytes).toBe(512 * 2 ** 20)
    expect(memoryBudget(machine({ gibibytes: 64 })).ramReserveBytes).toBe(Math.round(3.2 * gibibyte))
    expect(memoryBudget(machine({ gibibytes: 8, hasBattery: true })).ramReserveBytes).toBe(gibibyte)
    expect(memoryBudget(machine({ gibibytes: 32, platform: 'darwin' })).ramReserveBytes).toBe(Math.round(3.2 * gibibyte))
  })

  it('is what is available now, with what will be freed, and never above the limit', () => {
    const profile = machine({ gibibytes: 16, freeGibibytes: 10 })
    expect(memoryBudget(profile).ramBytes).toBe(10 * gibibyte)
    expect(memoryBudget(profile, 2 * gibibyte).ramBytes).toBe(12 * gibibyte)
    expect(memoryBudget(profile, 99 * gibibyte).ramBytes).toBe(16 * gibibyte)
  })

  it('plans with a GPU that has its own memory before one that shares the RAM, and with none of unknown memory', () => {
    const { gpus: own } = machine({ gibibytes: 8, gpu: { name: 'own', gibibytes: 4 } })
    const { gpus: shared } = machine({ gibibytes: 8, gpu: { name: 'shared', gibibytes: 7, unifiedMemory: true, backend: 'vulkan' } })
    const { gpus: unknown } = machine({ gibibytes: 8, gpu: { name: 'unknown', gibibytes: null } })
    const profile = machine({ gibibytes: 8 })
    expect(memoryBudget({ ...profile, gpus: [...shared, ...own, ...unknown] }).gpu?.name).toBe('own')
    expect(memoryBudget({ ...profile, gpus: unknown }).gpu).toBeNull()
    expect(memoryBudget({ ...profile, gpus: [...own, ...own] }).gpu?.vramBytes).toBe(8 * gibibyte)
  })
})

describe('on a CPU', () => {
  it('adds up weights, state, KV cache, compute buffers and process beside the reserve', () => {
    const sizing = sizeModel({ dimensions: nineB, budget: memoryBudget(machine({ gibibytes: 16 })), ...shape })
    expect(sizing).toMatchObject({ fits: true, device: 'cpu', backend: 'cpu', gpuLayers: 0, limitingTerm: null })
    expect(bytesOf(sizing, 'weights')).toBe(5_680_522_464)
    expect(bytesOf(sizing, 'kvCache')).toBe(32_768 * 8192 * 4)
    expect(bytesOf(sizing, 'recurrentState')).toBe(52_690_944 * 4)
    const sum = sizing.terms.filter((term) => !isHeadroom(term.name)).reduce((total, term) => total + (term.bytes ?? 0), 0)
    expect(sizing.plannedBytes).toEqual({ ram: sum, vram: 0, total: sum })
    expect(explainSizing(sizing)).toBe('takes 7.1 GiB of RAM for 4 x 8192 tokens')
  })

  it('names the term at which it gets too much', () => {
    const limitAt = (freeGibibytes: number) =>
      sizeModel({ dimensions: nineB, budget: memoryBudget(machine({ gibibytes: 16, freeGibibytes })), ...shape }).limitingTerm
    expect(limitAt(5)).toBe('weights')
    expect(limitAt(7.5)).toBe('kvCache')
    expect(limitAt(8.5)).toBeNull()
    const sizing = sizeModel({ dimensions: nineB, budget: memoryBudget(machine({ gibibytes: 16, freeGibibytes: 7.5 })), ...shape })
    expect(sizing.fits).toBe(false)
    expect(explainSizing(sizing)).toBe('needs 8.3 GiB of RAM for 4 x 8192 tokens, 7.5 GiB are free: too little for the KV cache')
  })

  it('leaves room for two checkpoints of the recurrent state per slot, which are not there after the load', () => {
    const sizeIn = (freeGibibytes: number, dimensions = nineB) =>
      sizeModel({ dimensions, budget: memoryBudget(machine({ gibibytes: 16, freeGibibytes })), ...shape })
    const sizing = sizeIn(12)
    expect(bytesOf(sizing, 'checkpoints')).toBe(2 * 52_690_944 * 4)
    const neededGibibytes = sizing.terms.reduce((total, term) => total + (term.bytes ?? 0), 0) / gibibyte
    expect(sizeIn(neededGibibytes + 0.01)).toMatchObject({ fits: true, plannedBytes: sizing.plannedBytes })
    const tooSmall = sizeIn(neededGibibytes - 0.01)
    expect(tooSmall).toMatchObject({ fits: false, limitingTerm: 'checkpoints' })
    expect(explainSizing(tooSmall)).toMatch(/too little for checkpoints of the recurrent state$/)
    const plain = dimensionsOfManifest(manifest())
    expect(sizeIn(12, plain).terms.map((term) => term.name)).not.toContain('checkpoints')
  })

  it('does not say that a model fits whose KV cache nobody knows, but says that its weights do not', () => {
    const unknown = entry('unsloth/gemma-4-12b-it-GGUF')
    const sizeIn = (gibibytes: number) => sizeModel({ dimensions: unknown, budget: memoryBudget(machine({ gibibytes })), ...shape })
    expect(sizeIn(64)).toMatchObject({ fits: null, plannedBytes: { total: null } })
    expect(explainSizing(sizeIn(64))).toContain("cannot be computed before the file's header is read")
    expect(sizeIn(4)).toMatchObject({ fits: false, limitingTerm: 'weights' })
  })
})

describe('with a GPU', () => {
  const budget = (vramGibibytes: number, unifiedMemory = false) =>
    memoryBudget(machine({ gibibytes: 32, gpu: { name: 'g', gibibytes: vramGibibytes, unifiedMemory } }))

  it('puts everything into VRAM that fits there, and the looked-up embedding into RAM', () => {
    const sizing = sizeModel({ dimensions: nineB, budget: budget(12), ...shape })
    expect(sizing).toMatchObject({ fits: true, device: 'gpu', backend: 'cuda', gpuLayers: 33, gpuShare: 1 })
    const embedding = nineB.embeddingBytes ?? 0
    expect(bytesOf(sizing, 'weights')).toBe(embedding)
    expect(bytesOf(sizing, 'weights', 'vram')).toBe(5_680_522_464 - embedding)
    expect(bytesOf(sizing, 'kvCache', 'vram')).toBe(32_768 * 8192 * 4)
    expect(bytesOf(sizing, 'compute', 'vram')).toBeGreaterThan(500e6)
    expect(bytesOf(sizing, 'reserve', 'vram')).toBeGreaterThan(256e6)
  })

  it('copies a tied embedding to the GPU as output head', () => {
    const fourB = entry('unsloth/Qwen3.5-4B-GGUF')
    const sizing = sizeModel({ dimensions: fourB, budget: budget(12), ...shape })
    expect(bytesOf(sizing, 'weights', 'vram') + bytesOf(sizing, 'weights')).toBe(2_740_937_888 + (fourB.embeddingBytes ?? 0))
  })

  it('splits layers when not all fit, and leaves the GPU alone when none does', () => {
    const some = sizeModel({ dimensions: nineB, budget: budget(5), ...shape })
    expect(some).toMatchObject({ fits: true, device: 'split' })
    expect(some.gpuLayers).toBeGreaterThan(5)
    expect(some.gpuLayers).toBeLessThan(30)
    expect(some.plannedBytes.vram).toBeLessThan(5 * gibibyte)
    expect(sizeModel({ dimensions: nineB, budget: budget(0.5), ...shape })).toMatchObject({ fits: true, device: 'cpu', gpuLayers: 0 })
  })

  it('obeys a number of layers that was asked for, even when it does not fit', () => {
    expect(sizeModel({ dimensions: nineB, budget: budget(12), ...shape, gpuLayers: 0 }).device).toBe('cpu')
    expect(sizeModel({ dimensions: nineB, budget: budget(2), ...shape, gpuLayers: 33 })).toMatchObject({
      fits: false,
      limitingMemory: 'vram',
    })
    expect(sizeModel({ dimensions: nineB, budget: memoryBudget(machine({ gibibytes: 16 })), ...shape, gpuLayers: 20 }).gpuLayers).toBe(0)
  })

  it('counts unified memory once, and not beyond what the GPU may use of it', () => {
    const whole = sizeModel({ dimensions: nineB, budget: budget(24, true), ...shape })
    expect(whole).toMatchObject({ fits: true, device: 'gpu', plannedBytes: { vram: 0 } })
    expect(whole.terms.filter((term) => term.name === 'weights')).toHaveLength(1)
    const capped = sizeModel({ dimensions: nineB, budget: budget(6, true), ...shape, gpuLayers: 33 })
    expect(capped).toMatchObject({ fits: false, limitingMemory: 'ram' })
    expect(sizeModel({ dimensions: nineB, budget: budget(6, true), ...shape })).toMatchObject({ fits: true, device: 'cpu' })
  })
})

describe("the engine's estimate", () => {
  const estimate = { ...shape, gpuLayers: 0, model: { ramBytes: 5e9, vramBytes: 0 }, context: { ramBytes: 3e9, vramBytes: 0 } }
  const budget = memoryBudget(machine({ gibibytes: 16 }))

  it('replaces the formulas for its own shape only, less the logits that nobody touches in RAM', () => {
    const sizing = sizeModel({ dimensions: nineB, budget, ...shape, estimates: [estimate] })
    expect(bytesOf(sizing, 'weights')).toBe(5e9)
    expect(bytesOf(sizing, 'engine')).toBe(3e9 - 4 * 512 * 248_320)
    expect(sizing.terms.map((term) => term.name)).not.toContain('kvCache')
    expect(bytesOf(sizing, 'checkpoints')).toBe(2 * 52_690_944 * 4)
    const other = sizeModel({ dimensions: nineB, budget, ...shape, slots: 1, estimates: [estimate] })
    expect(bytesOf(other, 'kvCache')).toBe(32_768 * 8192)
  })

  it('makes a model plannable of which the catalog knows too little', () => {
    const unknown = entry('unsloth/gemma-4-12b-it-GGUF')
    expect(sizeModel({ dimensions: unknown, budget, ...shape, estimates: [estimate] }).fits).toBe(true)
  })
})

it('never says that a model fits which is larger than the memory, and fits with more memory whatever fitted with less', () => {
  const facts = fc.record({
    fileBytes: fc.integer({ min: 1e6, max: 60e9 }),
    layerCount: fc.integer({ min: 1, max: 80 }),
    headCountKv: fc.integer({ min: 1, max: 16 }),
    embeddingLength: fc.integer({ min: 64, max: 8192 }),
    vocabularySize: fc.integer({ min: 300, max: 262_144 }),
  })
  const machines = fc.record({
    gibibytes: fc.double({ min: 1, max: 128, noNaN: true }),
    vram: fc.option(fc.double({ min: 0.5, max: 80, noNaN: true })),
    unifiedMemory: fc.boolean(),
  })
  const load = fc.record({ contextTokens: fc.integer({ min: 256, max: 65_536 }), slots: fc.integer({ min: 1, max: 8 }) })
  fc.assert(
    fc.property(facts, machines, load, ({ fileBytes, ...rest }, { gibibytes, vram, unifiedMemory }, wanted) => {
      const share = fileBytes / 10
      const groups = { embedding: share, output: share, attention: 3 * share, feedForward: 5 * share, experts: 0, other: 0 }
      const dimensions = dimensionsOfManifest(
        manifest({ fileBytes, attentionLayerCount: rest.layerCount, tensorGroupBytes: groups, ...rest }),
      )
      const sizeIn = (factor: number) => {
        const gpu = vram === null ? {} : { gpu: { name: 'g', gibibytes: vram * factor, unifiedMemory } }
        return sizeModel({ dimensions, budget: memoryBudget(machine({ gibibytes: gibibytes * factor, ...gpu })), ...wanted })
      }
      const sizing = sizeIn(1)
      const { ram, vram: vramPlanned } = sizing.plannedBytes
      if (sizing.fits === true) {
        expect(ram).toBeLessThanOrEqual(gibibytes * gibibyte)
        expect(vramPlanned).toBeLessThanOrEqual((vram ?? 0) * gibibyte)
        expect((ram ?? 0) + (vramPlanned ?? 0)).toBeGreaterThan(fileBytes)
        expect(sizeIn(2).fits).toBe(true)
      } else {
        expect(sizing.limitingTerm).not.toBeNull()
      }
    }),
    { numRuns: 500 },
  )
})
