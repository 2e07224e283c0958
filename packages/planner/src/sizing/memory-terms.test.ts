import { describe, expect, it } from 'vitest'
import { findCatalogEntry } from '../catalog/catalog.ts'
import { manifest } from '../testing/fixtures.ts'
import { computeBytes, kvCacheBytes, recurrentStateBytes, runtimeBytes } from './memory-terms.ts'
import { dimensionsOfEntry, dimensionsOfManifest, type ModelDimensions } from './model-dimensions.ts'

const entryDimensions = (repo: string, quantization: string): ModelDimensions => {
  const entry = findCatalogEntry(repo, quantization)
  if (entry === null) throw new Error(`no ${repo}`)
  return dimensionsOfEntry(entry)
}

/** Dimensions of published models, as their headers give them. */
const qwen = (facts: Partial<Parameters<typeof manifest>[0]>) =>
  dimensionsOfManifest(manifest({ architecture: 'qwen35', vocabularySize: 248_320, keyLength: 256, valueLength: 256, ...facts }))
const qwen08 = qwen({
  layerCount: 24,
  attentionLayerCount: 6,
  embeddingLength: 1024,
  headCountKv: 2,
  recurrentStateBytesPerSequence: 20_201_472,
})
const qwen4 = qwen({
  layerCount: 32,
  attentionLayerCount: 8,
  embeddingLength: 2560,
  headCountKv: 4,
  recurrentStateBytesPerSequence: 52_690_944,
})
const qwen9 = qwen({
  layerCount: 32,
  attentionLayerCount: 8,
  embeddingLength: 4096,
  headCountKv: 4,
  recurrentStateBytesPerSequence: 52_690_944,
})
const qwen27 = qwen({
  layerCount: 64,
  attentionLayerCount: 16,
  embeddingLength: 5120,
  headCountKv: 4,
  recurrentStateBytesPerSequence: 156_893_184,
})
const llama3 = dimensionsOfManifest(
  manifest({ layerCount: 28, attentionLayerCount: 28, embeddingLength: 3072, headCountKv: 8, vocabularySize: 128_256 }),
)
const qwen30 = dimensionsOfManifest(
  manifest({
    architecture: 'qwen3moe',
    layerCount: 48,
    attentionLayerCount: 48,
    headCountKv: 4,
    vocabularySize: 151_936,
    expert: { count: 128, usedCount: 8, feedForwardLength: 768 },
  }),
)

describe('KV cache and recurrent state', () => {
  it.each([
    [qwen08, 12_288],
    [qwen4, 32_768],
    [qwen9, 32_768],
    [qwen27, 65_536],
    [llama3, 114_688],
    [qwen30, 98_304],
  ])('take %#: bytes per token and slot that follow from the header', (dimensions, bytesPerToken) => {
    expect(kvCacheBytes(dimensions, { contextTokens: 1024, slots: 1 })).toBe(bytesPerToken * 1024)
    expect(kvCacheBytes(dimensions, { contextTokens: 1024, slots: 3 })).toBe(bytesPerToken * 1024 * 3)
  })

  it('are the same from the catalog as from a header', () => {
    const fromCatalog = entryDimensions('unsloth/Qwen3.5-9B-GGUF', 'Q4_K_M')
    const shape = { contextTokens: 8192, slots: 4 }
    expect(kvCacheBytes(fromCatalog, shape)).toBe(kvCacheBytes(qwen9, shape))
    expect(recurrentStateBytes(fromCatalog, shape)).toBe(recurrentStateBytes(qwen9, shape))
    expect(recurrentStateBytes(fromCatalog, shape)).toBe(52_690_944 * 4)
  })

  it('keep only window and batch of sliding layers, every second layer of gpt-oss', () => {
    const gptOss = {
      architecture: 'gpt-oss',
      layerCount: 24,
      attentionLayerCount: 24,
      headCountKv: 8,
      keyLength: 64,
      valueLength: 64,
      slidingWindowTokens: 128,
    }
    const dimensions = dimensionsOfManifest(manifest(gptOss))
    expect(dimensions.kvBytesPerToken).toBe(24_576)
    expect(kvCacheBytes(dimensions, { contextTokens: 8192, slots: 1 })).toBe(24_576 * 8192 + 24_576 * 768)
    expect(kvCacheBytes(dimensions, { contextTokens: 256, slots: 1 })).toBe(24_576 * 256 * 2)
    expect(kvCacheBytes(entryDimensions('ggml-org/gpt-oss-20b-GGUF', 'MXFP4'), { contextTokens: 8192, slots: 1 })).toBe(
      kvCacheBytes(dimensions, { contextTokens: 8192, slots: 1 }),
    )
  })

  it('count every layer as full where the pattern of an architecture is not known', () => {
    const dimensions = dimensionsOfManifest(manifest({ architecture: 'new', slidingWindowTokens: 128 }))
    expect(dimensions.windowKvBytesPerToken).toBe(0)
    expect(dimensions.kvBytesPerToken).toBe(20 * 4 * 256 * 2)
  })

  it('are unknown where the catalog does not know the dimensions', () => {
    const dimensions = entryDimensions('unsloth/gemma-4-12b-it-GGUF', 'Q4_K_M')
    expect(kvCacheBytes(dimensions, { contextTokens: 1, slots: 1 })).toBeNull()
    expect(recurrentStateBytes(dimensions, { contextTokens: 1, slots: 1 })).toBeNull()
    expect(computeBytes(dimensions, { contextTokens: 1, slots: 1 }, 'committed')).toBeNull()
  })
})

describe('compute buffers', () => {
  // Layouts by node-llama-cpp 3.22.1 of headers with these dimensions, without KV cache and state, flash attention on, bytes.
  it.each([
    [qwen08, 4096, 1, 514_880_000],
    [qwen08, 32_768, 4, 546_330_000],
    [qwen4, 8192, 4, 527_450_000],
    [qwen9, 8192, 1, 533_750_000],
    [qwen27, 8192, 1, 548_430_000],
    [llama3, 8192, 1, 275_250_000],
    [qwen30, 4096, 1, 319_550_000],
    [qwen30, 32_768, 1, 319_560_000],
  ])('%#: are estimated within -3 and +20 %% of the engine layout', (dimensions, contextTokens, slots, bytes) => {
    const estimate = computeBytes(dimensions, { contextTokens, slots }, 'committed') ?? 0
    expect(estimate / bytes).toBeGreaterThan(0.97)
    expect(estimate / bytes).toBeLessThan(1.2)
  })
})

describe('a loaded child process', () => {
  // Resident bytes (anonymous + file) measured after loading on Linux x64, CPU, one thread; weights are what was mapped of the file.
  const tiny = dimensionsOfManifest(
    manifest({
      layerCount: 4,
      attentionLayerCount: 4,
      embeddingLength: 256,
      headCountKv: 2,
      keyLength: 64,
      valueLength: 64,
      vocabularySize: 1024,
    }),
  )
  it.each([
    [tiny, 4_465_664, 4096, 1, 158_339_072],
    [tiny, 4_465_664, 32_768, 4, 431_185_920],
    [qwen08, 800_881_920, 4096, 1, 1_380_737_024],
    [qwen08, 800_881_920, 8192, 4, 1_794_166_784],
    [llama3, 3_414_061_056, 4096, 1, 4_155_592_704],
  ])('%#: takes what the terms add up to within 10 %%', (dimensions, weightBytes, contextTokens, slots, measuredBytes) => {
    const shape = { contextTokens, slots }
    const parts = [
      kvCacheBytes(dimensions, shape),
      recurrentStateBytes(dimensions, shape),
      computeBytes(dimensions, shape, 'touched'),
      runtimeBytes(dimensions),
    ]
    const planned = parts.reduce<number>((sum, bytes) => sum + (bytes ?? Number.NaN), weightBytes)
    expect(Math.abs(planned / measuredBytes - 1)).toBeLessThan(0.1)
  })
})

describe('decode reads', () => {
  it('all weights but the input embedding, and of the experts those used', () => {
    const bytes = { embedding: 10, output: 20, attention: 300, feedForward: 4000, experts: 80_000, other: 5 }
    const untied = manifest({ tensorGroupBytes: bytes, expert: { count: 8, usedCount: 2, feedForwardLength: 1 } })
    expect(dimensionsOfManifest(untied).decodeReadBytes).toBe(20 + 300 + 4000 + 20_000 + 5)
    const tied = manifest({ tensorGroupBytes: { ...bytes, output: 0, experts: 0 } })
    expect(dimensionsOfManifest(tied).decodeReadBytes).toBe(10 + 300 + 4000 + 5)
  })

  it.each([
    ['unsloth/Qwen3.5-0.8B-GGUF', 'Q4_K_M', 521_517_120],
    ['unsloth/Qwen3.5-4B-GGUF', 'Q4_K_M', 2_729_937_888],
    ['unsloth/Qwen3.5-9B-GGUF', 'Q4_K_M', 5_097_000_000],
    ['unsloth/Qwen3.5-27B-GGUF', 'Q4_K_M', 16_015_000_000],
    ['unsloth/Qwen3.5-35B-A3B-GGUF', 'Q4_K_M', 1_805_000_000],
    ['ggml-org/gpt-oss-20b-GGUF', 'MXFP4', 2_587_710_624],
    ['ggml-org/gpt-oss-120b-GGUF', 'MXFP4', 3_607_232_288],
    ['ggml-org/gemma-4-E2B-it-GGUF', 'Q4_0', 1_504_459_872],
  ])('%s %s within 4 %% of what was worked out tensor by tensor', (repo, quantization, bytes) => {
    const read = entryDimensions(repo, quantization).decodeReadBytes ?? 0
    expect(Math.abs(read / bytes - 1)).toBeLessThan(0.04)
  })
})
