import type { GpuProfile, MemoryProfile, ModelManifest, NodeProfile } from '@shoal/core'

export const gibibyte = 2 ** 30

export interface MachineFacts {
  readonly gibibytes: number
  readonly freeGibibytes?: number
  /** Of the probe, GB/s; null = not measured. */
  readonly bandwidth?: number | null
  readonly gpu?: Partial<GpuProfile> & { readonly name: string; readonly gibibytes: number | null }
  readonly platform?: string
  readonly hasBattery?: boolean
  readonly diskGibibytes?: number
  readonly hostname?: string
}

/** A machine in a few numbers. */
export function machine(facts: MachineFacts): NodeProfile {
  const limitBytes = facts.gibibytes * gibibyte
  const availableBytes = (facts.freeGibibytes ?? facts.gibibytes * 0.9) * gibibyte
  const bandwidth = facts.bandwidth === undefined ? 50 : facts.bandwidth
  const memory: MemoryProfile = {
    totalBytes: limitBytes,
    limitBytes,
    availableBytes,
    bandwidthBytesPerSecond: bandwidth === null ? null : bandwidth * 1e9,
  }
  const vramBytes = facts.gpu?.gibibytes == null ? null : facts.gpu.gibibytes * gibibyte
  const gpu: GpuProfile = {
    backend: 'cuda',
    unifiedMemory: false,
    ...facts.gpu,
    name: facts.gpu?.name ?? '',
    vramTotalBytes: vramBytes,
    vramFreeBytes: vramBytes,
  }
  const disk = facts.diskGibibytes === undefined ? null : { path: '/models', totalBytes: 1e12, freeBytes: facts.diskGibibytes * gibibyte }
  return {
    hostname: facts.hostname ?? 'machine',
    platform: facts.platform ?? 'linux',
    osRelease: '6.1',
    cpu: { model: null, architecture: 'x64', physicalCores: 4, logicalCores: 8, usableCores: 8, instructionSets: null },
    memory,
    gpus: facts.gpu === undefined ? [] : [gpu],
    disk,
    battery: facts.hasBattery === true ? { charge: 1, onMains: true } : null,
    interfaces: [],
  }
}

/** A Llama-like header, changed where a test cares. */
export function manifest(facts: Partial<ModelManifest> = {}): ModelManifest {
  return {
    architecture: 'llama',
    name: 'test',
    quantization: 'Q8_0',
    parameterCount: 1e9,
    fileBytes: 1e9,
    tensorGroupBytes: { embedding: 1e8, output: 1e8, attention: 3e8, feedForward: 5e8, experts: 0, other: 0 },
    contextTokensTrained: 32_768,
    layerCount: 20,
    attentionLayerCount: 20,
    embeddingLength: 2048,
    headCount: 16,
    headCountKv: 4,
    keyLength: 128,
    valueLength: 128,
    slidingWindowTokens: null,
    vocabularySize: 32_000,
    expert: null,
    recurrentStateBytesPerSequence: 0,
    chatTemplate: null,
    isDemo: false,
    ...facts,
  }
}
