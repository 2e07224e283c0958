import { describe, expect, it } from 'vitest'
import { findCatalogEntry } from '../catalog/catalog.ts'
import { machine } from '../testing/fixtures.ts'
import { gpuBandwidthBytesPerSecond } from './gpu-bandwidth.ts'
import { dimensionsOfEntry, type ModelDimensions } from './model-dimensions.ts'
import { effectiveBandwidth, predictSpeed } from './predict-speed.ts'

const models: Readonly<Record<string, readonly [string, string]>> = {
  '0.8B': ['unsloth/Qwen3.5-0.8B-GGUF', 'Q4_K_M'],
  '0.8B Q8': ['unsloth/Qwen3.5-0.8B-GGUF', 'Q8_0'],
  '2B': ['unsloth/Qwen3.5-2B-GGUF', 'Q4_K_M'],
  '4B': ['unsloth/Qwen3.5-4B-GGUF', 'Q4_K_M'],
  '9B': ['unsloth/Qwen3.5-9B-GGUF', 'Q4_K_M'],
  '27B': ['unsloth/Qwen3.5-27B-GGUF', 'Q4_K_M'],
  '35B-A3B': ['unsloth/Qwen3.5-35B-A3B-GGUF', 'Q4_K_M'],
  '122B-A10B': ['unsloth/Qwen3.5-122B-A10B-GGUF', 'Q4_K_M'],
  '30B-A3B': ['unsloth/Qwen3-30B-A3B-Instruct-2507-GGUF', 'Q4_K_M'],
  'oss-20b': ['ggml-org/gpt-oss-20b-GGUF', 'MXFP4'],
  'oss-120b': ['ggml-org/gpt-oss-120b-GGUF', 'MXFP4'],
  'Llama 3B': ['bartowski/Llama-3.2-3B-Instruct-GGUF', 'Q4_K_M'],
  'Phi-4': ['bartowski/phi-4-GGUF', 'Q4_K_M'],
  'Mistral 24B': ['unsloth/Mistral-Small-3.2-24B-Instruct-2506-GGUF', 'Q4_K_M'],
}
const dimensionsOf = (name: string): ModelDimensions => {
  const [repo = '', quantization = ''] = models[name] ?? []
  const entry = findCatalogEntry(repo, quantization)
  if (entry === null) throw new Error(`no ${name}`)
  return dimensionsOfEntry(entry)
}
const onCpu = { device: 'cpu', backend: 'cpu', gpuShare: 0 } as const
const onGpu = { device: 'gpu', backend: 'cuda', gpuShare: 1 } as const

describe('prediction', () => {
  // Published decode speeds of llama.cpp builds of 2026. A probe is taken to show 0.85 of the memory's theoretical bandwidth (GB/s).
  it.each([
    ['Raspberry Pi 5', 17, 'Llama 3B', 5.55],
    ['Raspberry Pi 5', 17, '2B', 9.34],
    ['Raspberry Pi 5', 17, '4B', 3.2],
    ['Intel N150', 25.6, 'Llama 3B', 9.06],
    ['Ryzen 7 7840HS', 89.6, '0.8B', 77.8],
    ['Ryzen 7 7840HS', 89.6, '27B', 3.48],
    ['Core Ultra 7 155H', 89.6, '4B', 14.55],
    ['Core Ultra 7 155H', 89.6, '9B', 8.45],
  ])('on the CPU of a %s (%f GB/s) is within 25 %% for %s: %f', (_name, theoretical, model, measured) => {
    const profile = machine({ gibibytes: 16, bandwidth: theoretical * 0.85 })
    const { tokensPerSecond } = predictSpeed({ dimensions: dimensionsOf(model), profile, sizing: onCpu })
    expect(Math.abs((tokensPerSecond ?? 0) / measured - 1)).toBeLessThan(0.25)
  })

  it.each([
    ['Apple M4 Pro', '4B', 55.6],
    ['Apple M4 Pro', '9B', 36.95],
    ['Apple M4 Pro', 'Phi-4', 25.8],
    ['Apple M4 Pro', 'Mistral 24B', 16.54],
    ['Apple M4 Pro', 'oss-20b', 66.5],
    ['Apple M4 Pro', '30B-A3B', 70.55],
    ['NVIDIA GB10', '9B', 35.2],
    ['NVIDIA GB10', '27B', 11.28],
    ['NVIDIA GB10', '35B-A3B', 71.6],
    ['NVIDIA GB10', '122B-A10B', 28.95],
    ['NVIDIA GB10', 'oss-20b', 83.4],
    ['NVIDIA GB10', 'oss-120b', 58.7],
    ['NVIDIA GeForce RTX 3060', 'Llama 3B', 128.1],
    ['NVIDIA GeForce RTX 3060', '2B', 166.2],
    ['NVIDIA GeForce RTX 3060', '0.8B Q8', 242.8],
    ['AMD Radeon RX 7900 XT (RADV NAVI31)', '4B', 126.7],
    ['AMD Radeon RX 7900 XT (RADV NAVI31)', '9B', 87.8],
    ['AMD Radeon RX 7900 XT (RADV NAVI31)', '27B', 31.6],
    ['AMD Radeon RX 7900 XT (RADV NAVI31)', 'Phi-4', 66],
    ['AMD Radeon RX 7900 XT (RADV NAVI31)', 'oss-20b', 162.6],
    ['AMD Radeon RX 7900 XT (RADV NAVI31)', '30B-A3B', 151.8],
    ['NVIDIA GeForce RTX 4090', '27B', 46.7],
    ['NVIDIA GeForce RTX 4090', '35B-A3B', 157.4],
    ['NVIDIA GeForce RTX 4090', 'oss-20b', 279.7],
    ['NVIDIA GeForce RTX 5090', '27B', 70.1],
    ['NVIDIA GeForce RTX 5090', '35B-A3B', 230.7],
  ])('on a %s is within 30 %% for %s: %f', (name, model, measured) => {
    const profile = machine({ gibibytes: 64, gpu: { name, gibibytes: 48 } })
    const { tokensPerSecond } = predictSpeed({ dimensions: dimensionsOf(model), profile, sizing: onGpu })
    expect(Math.abs((tokensPerSecond ?? 0) / measured - 1)).toBeLessThan(0.3)
  })

  it('is unknown without a bandwidth, or where nobody knows what a token reads', () => {
    const dimensions = dimensionsOf('4B')
    expect(predictSpeed({ dimensions, profile: machine({ gibibytes: 8, bandwidth: null }), sizing: onCpu })).toEqual({
      tokensPerSecond: null,
      tokensPerSecondAtLeast: null,
    })
    const profile = machine({ gibibytes: 8 })
    expect(predictSpeed({ dimensions: { ...dimensions, decodeReadBytes: null }, profile, sizing: onCpu }).tokensPerSecondAtLeast).toBeNull()
  })

  it('of an unknown GPU is unknown, but not below that of the CPU', () => {
    const profile = machine({ gibibytes: 32, bandwidth: 60, gpu: { name: 'NVIDIA Something 1', gibibytes: 16 } })
    const speed = predictSpeed({ dimensions: dimensionsOf('4B'), profile, sizing: onGpu })
    expect(speed.tokensPerSecond).toBeNull()
    expect(speed.tokensPerSecondAtLeast).toBeGreaterThan(10)
  })

  it('of an unknown GPU that shares the RAM follows from the probe of the RAM', () => {
    const gpu = { name: 'Integrated', gibibytes: 8, unifiedMemory: true, backend: 'vulkan' } as const
    const profile = machine({ gibibytes: 16, bandwidth: 80, gpu })
    const sizing = { device: 'gpu', backend: 'vulkan', gpuShare: 1 } as const
    expect(predictSpeed({ dimensions: dimensionsOf('4B'), profile, sizing }).tokensPerSecond).toBeCloseTo(21.6, 0)
  })

  it('of layers split over both lies between them', () => {
    const profile = machine({ gibibytes: 64, bandwidth: 50, gpu: { name: 'NVIDIA GeForce RTX 3060', gibibytes: 12 } })
    const speed = (gpuShare: number) =>
      predictSpeed({ dimensions: dimensionsOf('27B'), profile, sizing: { ...onGpu, gpuShare } }).tokensPerSecond ?? 0
    expect([speed(0), speed(0.5), speed(1)]).toEqual([speed(0), speed(0.5), speed(1)].toSorted((a, b) => a - b))
    expect(1 / speed(0.5)).toBeCloseTo((1 / speed(0) + 1 / speed(1)) / 2, 3)
  })

  it('follows a measured speed: what one model shows holds for others of its kind', () => {
    const profile = machine({ gibibytes: 32, bandwidth: 50 })
    const measured = effectiveBandwidth(dimensionsOf('4B'), { tokensPerSecond: 14.55, device: 'cpu' })
    const correctionOf = () => ({ estimateRatio: null, effectiveBandwidthBytesPerSecond: measured })
    const predict = (model: string) =>
      predictSpeed({ dimensions: dimensionsOf(model), profile, sizing: onCpu, correctionOf }).tokensPerSecond ?? 0
    expect(predict('4B')).toBeCloseTo(14.55, 2)
    expect(Math.abs(predict('9B') / 8.45 - 1)).toBeLessThan(0.1)
  })

  it('learns nothing from layers split over both, or from a speed that cannot be', () => {
    expect(effectiveBandwidth(dimensionsOf('4B'), { tokensPerSecond: 10, device: 'split' })).toBeNull()
    expect(effectiveBandwidth(dimensionsOf('4B'), { tokensPerSecond: 0, device: 'cpu' })).toBeNull()
    expect(effectiveBandwidth(dimensionsOf('4B'), { tokensPerSecond: 1e6, device: 'gpu' })).toBeNull()
  })
})

describe('bandwidth of GPUs', () => {
  it.each([
    ['NVIDIA GeForce RTX 4060 Ti', 288],
    ['NVIDIA GeForce RTX 4060', 272],
    ['AMD Radeon RX 7900 XTX (RADV NAVI31)', 960],
    ['Apple M4 Max', 546],
    ['Tesla T4', 320],
    ['NVIDIA GeForce RTX 3090 + NVIDIA GeForce RTX 3060', 360],
  ])('%s: %f GB/s', (name, expected) => {
    expect(gpuBandwidthBytesPerSecond(name)).toBe(expected * 1e9)
  })

  it.each([
    'NVIDIA GeForce RTX 4090 Laptop GPU',
    'NVIDIA GeForce RTX 3090 Ti',
    'NVIDIA GeForce RTX 4090 D',
    'Apple M3 Ultra',
    'NVIDIA GeForce RTX 30600',
    'NVIDIA GeForce RTX 3060 + Unknown',
    'NVIDIA H200',
    '',
  ])('%j: unknown', (name) => {
    expect(gpuBandwidthBytesPerSecond(name)).toBeNull()
  })
})
