import type { ModelManifest } from '@shoal/core'

/** Manifest of a small dense transformer (about 100 M parameters in Q4_K_M), with what a test wants different. */
export function fakeManifest(overrides: Partial<ModelManifest> = {}): ModelManifest {
  return {
    architecture: 'llama',
    name: 'Fake',
    quantization: 'Q4_K_M',
    parameterCount: 100_000_000,
    fileBytes: 60_000_000,
    tensorGroupBytes: { embedding: 10_000_000, output: 0, attention: 20_000_000, feedForward: 29_000_000, experts: 0, other: 1_000_000 },
    contextTokensTrained: 8192,
    layerCount: 12,
    attentionLayerCount: 12,
    embeddingLength: 768,
    headCount: 12,
    headCountKv: 4,
    keyLength: 64,
    valueLength: 64,
    slidingWindowTokens: null,
    vocabularySize: 32_000,
    expert: null,
    recurrentStateBytesPerSequence: 0,
    chatTemplate: null,
    isDemo: false,
    ...overrides,
  }
}
