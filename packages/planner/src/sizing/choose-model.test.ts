import { type LocalModel, modelId } from '@shoal/core'
import { describe, expect, it } from 'vitest'
import { machine, manifest } from '../testing/fixtures.ts'
import { type Candidate, catalogCandidates, localCandidate, mergeCandidates } from './candidates.ts'
import { chooseModel, type ModelQuery } from './choose-model.ts'
import { correctionKey } from './correction.ts'
import { shapesToTry } from './shapes.ts'

const catalog = catalogCandidates()
const choose = (facts: Parameters<typeof machine>[0], query: Partial<ModelQuery> = {}) =>
  chooseModel({ profile: machine(facts), candidates: catalog, ...query })
const planOf = (choice: ReturnType<typeof choose>, name: string) => choice.plans.find((plan) => plan.candidate.modelId === name)

const local = (id: string, facts: Parameters<typeof manifest>[0] = {}): Candidate => {
  const model: LocalModel = { modelId: id, path: `/models/${id}.gguf`, sha256: null, manifest: manifest(facts) }
  return localCandidate(model)
}

describe('chooseModel', () => {
  it.each([
    ['a 4 GB board', { gibibytes: 4, bandwidth: 15 }, 'qwen3.5-0.8b'],
    ['a 16 GB laptop', { gibibytes: 16, bandwidth: 60, hasBattery: true }, 'Qwen3.5-4B'],
    ['a laptop with faster memory', { gibibytes: 16, bandwidth: 80, hasBattery: true }, 'Qwen3.5-9B'],
    [
      'a 24 GB Apple M4 Pro',
      {
        gibibytes: 24,
        freeGibibytes: 16,
        platform: 'darwin',
        gpu: { name: 'Apple M4 Pro', gibibytes: 16, backend: 'metal', unifiedMemory: true },
      },
      'Qwen3.5-9B',
    ],
    ['a 128 GB GB10', { gibibytes: 128, gpu: { name: 'NVIDIA GB10', gibibytes: 110, unifiedMemory: true } }, 'Qwen3.5-122B-A10B'],
  ] as const)('gives %s what fits and is fast enough', (_name, facts, expected) => {
    const choice = choose(facts)
    expect(choice.kind).toBe('good')
    expect(choice.chosen?.candidate.modelId.toLowerCase()).toContain(expected.toLowerCase())
    expect(choice.chosen?.sizing.fits).toBe(true)
    expect(choice.chosen?.speed.tokensPerSecond).toBeGreaterThanOrEqual(8)
  })

  it('never prefers a worse ranked good one', () => {
    for (const gibibytes of [4, 8, 16, 32, 64]) {
      const choice = choose({ gibibytes, bandwidth: 40 })
      const best = Math.max(...choice.plans.filter((plan) => plan.verdict === 'good').map((plan) => plan.candidate.rank ?? 0))
      expect(choice.chosen?.candidate.rank).toBe(best)
    }
  })

  it('explains every candidate with a verdict, a sentence and numbers', () => {
    const choice = choose({ gibibytes: 16, bandwidth: 50 })
    expect(choice.plans).toHaveLength(catalog.length)
    expect(new Set(choice.plans.map((plan) => plan.verdict))).toEqual(new Set(['good', 'slow', 'size-unknown', 'does-not-fit']))
    expect(planOf(choice, 'unsloth/Qwen3.5-27B-GGUF:Q4_K_M')).toMatchObject({
      verdict: 'does-not-fit',
      reason: 'needs 18 GiB of RAM for 1 x 4096 tokens, 14 GiB are free: too little for the weights',
    })
    expect(planOf(choice, 'unsloth/Qwen3.5-9B-GGUF:Q4_K_M')?.reason).toBe(
      'takes 7.1 GiB of RAM for 4 x 8192 tokens, but only about 6.3 tokens per second of the 8 wanted',
    )
    expect(planOf(choice, 'unsloth/Qwen3.5-4B-GGUF:Q4_K_M')?.reason).toMatch(/^takes .* tokens, about 11 tokens per second$/)
  })

  it('offers the smallest fitting model to begin with', () => {
    expect(choose({ gibibytes: 64, bandwidth: 80 }).smallestFitting?.candidate.modelId).toBe('unsloth/Qwen3.5-0.8B-GGUF:Q4_K_M')
  })

  it('asks for another speed when told to', () => {
    const slow = choose({ gibibytes: 16, bandwidth: 50 }, { tokensPerSecondMin: 3 })
    expect(slow.chosen?.candidate.modelId).toBe('unsloth/Qwen3.5-9B-GGUF:Q8_0')
  })

  it('takes the fastest of the slow when nothing is fast enough, and says so', () => {
    const choice = choose({ gibibytes: 16, bandwidth: 3 })
    expect(choice.kind).toBe('slow')
    expect(choice.chosen?.candidate.modelId).toBe('unsloth/Qwen3.5-0.8B-GGUF:Q4_K_M')
    expect(choice.smallestFitting).toBeNull()
  })

  it('says when a context is cut to what the model was trained for, and only then', () => {
    const reasonFor = (contextTokensWanted: number, freeGibibytes = 14) =>
      choose({ gibibytes: 16, freeGibibytes }, { candidates: [local('own', { contextTokensTrained: 16_384 })], contextTokensWanted })
        .plans[0]?.reason
    expect(reasonFor(32_768)).toMatch(/for 4 x 16384 tokens \(trained for 16384 tokens, so 16384\), about/)
    expect(reasonFor(16_384)).not.toContain('trained')
    expect(reasonFor(32_768, 2.6)).not.toContain('trained')
  })

  it('never takes an unknown speed for a fast one', () => {
    const choice = choose({ gibibytes: 64, bandwidth: null })
    expect(choice.kind).toBe('speed-unknown')
    expect(choice.plans.some((plan) => plan.verdict === 'good')).toBe(false)
    expect(choice.chosen?.candidate.modelId).toBe('unsloth/Qwen3.5-0.8B-GGUF:Q4_K_M')
    expect(choice.chosen?.reason).toMatch(/how fast is unknown$/)
  })

  it('chooses nothing when nothing fits', () => {
    expect(choose({ gibibytes: 1 })).toMatchObject({ chosen: null, kind: null, smallestFitting: null })
  })

  it('does not choose what the disk cannot hold', () => {
    const choice = choose({ gibibytes: 16, bandwidth: 80, diskGibibytes: 4 })
    expect(planOf(choice, 'unsloth/Qwen3.5-9B-GGUF:Q4_K_M')).toMatchObject({
      verdict: 'no-disk',
      reason: 'needs 5.3 GiB on disk, 4.0 GiB are free',
    })
    expect(choice.chosen?.candidate.modelId).toBe('unsloth/Qwen3.5-4B-GGUF:UD-Q4_K_XL')
  })

  it('gives up slots before it gives up context, and both before it gives up the better model', () => {
    const wide = { gibibytes: 16, bandwidth: 200, freeGibibytes: 13 }
    const phi = catalog.filter((candidate) => candidate.modelId === 'bartowski/phi-4-GGUF:Q4_K_M')
    const shape = (freeGibibytes: number) => {
      const { sizing, verdict } = choose({ ...wide, freeGibibytes }, { candidates: phi }).plans[0] ?? {}
      return verdict === 'good' ? [sizing?.contextTokens, sizing?.slots] : verdict
    }
    expect(shape(16)).toEqual([8192, 4])
    expect(shape(13.5)).toEqual([8192, 2])
    expect(shape(12)).toEqual([8192, 1])
    expect(shape(10.5)).toEqual([4096, 1])
    expect(shape(10)).toBe('does-not-fit')
  })

  it('lets what earlier loads taught decide', () => {
    const facts = { gibibytes: 16, bandwidth: 50 }
    const key = correctionKey('qwen35', 'cpu')
    const faster = choose(facts, { corrections: { [key]: { estimateRatio: null, effectiveBandwidthBytesPerSecond: 50e9 } } })
    expect(faster.chosen?.candidate.modelId).toContain('Qwen3.5-9B')
    const tight = { ...facts, freeGibibytes: 5 }
    expect(choose(tight).chosen?.candidate.modelId).toContain('Qwen3.5-4B')
    const hungry = choose(tight, { corrections: { [key]: { estimateRatio: 3, effectiveBandwidthBytesPerSecond: null } } })
    expect(planOf(hungry, 'unsloth/Qwen3.5-4B-GGUF:UD-Q4_K_XL')?.sizing.slots).toBeLessThan(4)
  })
})

describe('candidates', () => {
  it('prefers a real model of unknown quality to the demo, even a slow one', () => {
    const tensorGroupBytes = { embedding: 1e5, output: 1e5, attention: 1e5, feedForward: 1e5, experts: 0, other: 0 }
    const demo = local('shoal-demo', { isDemo: true, fileBytes: 5e5, tensorGroupBytes })
    const own = local('own', { fileBytes: 3e9 })
    expect(choose({ gibibytes: 16 }, { candidates: [demo, own] }).chosen?.candidate.modelId).toBe('own')
    expect(choose({ gibibytes: 16, bandwidth: 1 }, { candidates: [demo, own] }).chosen?.candidate.modelId).toBe('own')
    expect(choose({ gibibytes: 16 }, { candidates: [demo] }).chosen?.candidate.modelId).toBe('shoal-demo')
  })

  it('ranks a local file as the catalog ranks the same file', () => {
    const known = catalog.find((candidate) => candidate.modelId === 'unsloth/Qwen3.5-4B-GGUF:Q4_K_M')
    expect(local('unsloth/Qwen3.5-4B-GGUF:Q4_K_M').rank).toBe(known?.rank)
    expect(local('Qwen3.5-4B-Q4_K_M').rank).toBe(known?.rank)
    expect(local('own').rank).toBeNull()
  })

  it('does not list a file twice that is here and could be fetched', () => {
    const here = local('unsloth/Qwen3.5-4B-GGUF:Q4_K_M')
    const merged = mergeCandidates([here], catalog)
    expect(merged).toHaveLength(catalog.length)
    expect(merged.filter((candidate) => candidate.modelId === here.modelId)).toEqual([here])
  })

  it('leave out what cannot chat', () => {
    expect(catalog.map((candidate) => candidate.modelId)).not.toContain(modelId('gpustack/bge-m3-GGUF:Q8_0'))
  })
})

describe('shapesToTry', () => {
  it('ends at one slot of 4096 tokens, and starts no higher than the model was trained', () => {
    const shapes = shapesToTry({ contextTokens: 16_384, slots: 4 }, null)
    expect(shapes).toHaveLength(9)
    expect(shapes.at(-1)).toEqual({ contextTokens: 4096, slots: 1 })
    expect(shapesToTry({ contextTokens: 16_384, slots: 1 }, 2048)).toEqual([{ contextTokens: 2048, slots: 1 }])
    expect(shapesToTry({ contextTokens: 512, slots: 3 }, null)).toEqual([
      { contextTokens: 512, slots: 3 },
      { contextTokens: 512, slots: 1 },
    ])
  })
})
