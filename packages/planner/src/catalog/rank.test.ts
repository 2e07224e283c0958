import { modelId } from '@shoal/core'
import { describe, expect, it } from 'vitest'
import { catalogEntries, findCatalogEntry, findCatalogModel } from './catalog.ts'
import { quantizationOfFileName, quantizationPenalty } from './quantization.ts'
import { catalogEntryOf, entryRank, modelQuality, rankOfModelId } from './rank.ts'

const quality = (id: string, mode: 'thinking' | 'nonThinking') => {
  const model = findCatalogModel(id)
  return model === null ? undefined : modelQuality(model, mode)
}

describe('rank', () => {
  it('is the published score of the mode where there is one', () => {
    expect(quality('qwen3.5-2b', 'nonThinking')).toBe(55.3)
    expect(quality('qwen3.5-2b', 'thinking')).toBe(66.5)
    expect(quality('qwen3-30b-a3b-instruct-2507', 'thinking')).toBe(78.4)
  })

  it('is estimated below the thinking score where only that is known, in the order of the thinking scores', () => {
    const ids = ['qwen3.5-4b', 'qwen3.5-9b', 'qwen3.5-35b-a3b', 'qwen3.5-27b', 'qwen3.5-122b-a10b']
    const scores = ids.map((id) => quality(id, 'nonThinking') ?? 0)
    expect(scores).toEqual(scores.toSorted((a, b) => a - b))
    expect(scores[0]).toBeCloseTo(73.875, 3)
  })

  it('is unknown without a score, and for what cannot chat', () => {
    expect(quality('qwen3.8-27b', 'thinking')).toBeNull()
    expect(quality('bge-m3', 'thinking')).toBeNull()
    expect(rankOfModelId(modelId('gpustack/bge-m3-GGUF:Q8_0'))).toBeNull()
  })

  it('puts a finer quantisation of one model first, and a bigger model before a finer quantisation of the smaller', () => {
    const rank = (repo: string, quantization: string) => {
      const entry = findCatalogEntry(repo, quantization)
      return entry === null ? Number.NaN : (entryRank(entry, 'nonThinking') ?? Number.NaN)
    }
    const small = 'unsloth/Qwen3.5-4B-GGUF'
    const ranks = [rank(small, 'Q4_K_M'), rank(small, 'UD-Q4_K_XL'), rank(small, 'Q8_0'), rank('unsloth/Qwen3.5-9B-GGUF', 'Q4_K_M')]
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    expect(new Set(ranks).size).toBe(4)
  })

  it('costs gpt-oss nothing for the format it was trained in', () => {
    const entry = findCatalogEntry('ggml-org/gpt-oss-20b-GGUF', 'MXFP4')
    expect(entry && entryRank(entry, 'thinking')).toBe(74.8)
  })

  it('is found by hub name, by file stem and by digest', () => {
    const expected = rankOfModelId(modelId('unsloth/Qwen3.5-4B-GGUF:Q4_K_M'))
    expect(expected).toBeGreaterThan(70)
    expect(rankOfModelId(modelId('Qwen3.5-4B-Q4_K_M'))).toBe(expected)
    expect(rankOfModelId(modelId('own-model'))).toBeNull()
    const [first] = catalogEntries()
    expect(catalogEntryOf({ modelId: 'renamed', path: '/m/renamed.gguf', sha256: first?.file.sha256 ?? '' })).toBe(first)
    expect(catalogEntryOf({ modelId: 'x', path: 'C:\\m\\Qwen3.5-9B-Q8_0.gguf', sha256: null })?.model.id).toBe('qwen3.5-9b')
    expect(catalogEntryOf({ modelId: 'x', path: '/m/x.gguf', sha256: null })).toBeNull()
  })
})

it('knows a penalty for every format in the catalog, more for fewer bits', () => {
  const penalties = ['F16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'UD-Q4_K_XL', 'Q4_K_M', 'Q4_0', 'Q3_K_M', 'Q2_K', 'IQ1_S'].map(quantizationPenalty)
  expect(penalties).toEqual(penalties.toSorted((a, b) => a - b))
  expect(quantizationPenalty('NEW7')).toBe(quantizationPenalty(null))
})

it.each([
  ['Qwen3.5-4B-UD-Q4_K_XL.gguf', 'UD-Q4_K_XL'],
  ['gemma-4-E2B_q4_0-it.gguf', 'Q4_0'],
  ['Q4_K_M/Qwen3.5-122B-A10B-Q4_K_M-00001-of-00003.gguf', 'Q4_K_M'],
  ['gpt-oss-20b-mxfp4.gguf', 'MXFP4'],
  ['Qwen3.5-35B-A3B-MXFP4_MOE.gguf', 'MXFP4_MOE'],
  ['nomic-embed-text-v1.5.f16.gguf', 'F16'],
  ['Qwen3.5-4B.gguf', null],
])('reads the format out of %s', (file, expected) => {
  expect(quantizationOfFileName(file)).toBe(expected)
})
