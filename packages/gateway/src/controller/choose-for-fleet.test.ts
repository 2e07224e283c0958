import type { LocalModel, ModelManifest } from '@shoal/core'
import { expect, test } from 'vitest'
import { createFakeNode, type FakeNodeOptions, modelState } from '../testing/fake-node.ts'
import { chooseForFleet } from './choose-for-fleet.ts'

const manifest: ModelManifest = {
  architecture: 'llama',
  name: 'test',
  quantization: 'Q8_0',
  parameterCount: 1e9,
  fileBytes: 1e9,
  tensorGroupBytes: { embedding: 1e8, output: 1e8, attention: 3e8, feedForward: 5e8, experts: 0, other: 0 },
  contextTokensTrained: 8192,
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
}
const file = (modelId: string, over: Partial<ModelManifest> = {}): LocalModel => ({
  modelId,
  path: `/models/${modelId}.gguf`,
  sha256: null,
  manifest: { ...manifest, ...over },
})
const small = 'unsloth/Qwen3.5-2B-GGUF:Q4_K_M'
const better = 'unsloth/Qwen3.5-2B-GGUF:Q8_0'
const large = 'unsloth/Qwen3.5-4B-GGUF:Q4_K_M'

function viewOf(...options: FakeNodeOptions[]) {
  const nodes = options.map((each) => {
    const { description, state, address } = createFakeNode(each)
    const memory = { totalBytes: 16e9, limitBytes: 16e9, availableBytes: 14e9, bandwidthBytesPerSecond: 50e9 }
    return {
      nodeId: state.nodeId,
      address,
      liveness: 'connected' as const,
      description: { ...description, profile: { ...description.profile, memory } },
      state,
    }
  })
  return { nodes }
}

test('a model that two nodes can serve comes before a better one that only one has', () => {
  const view = viewOf({ id: 'a', localModels: [file(better), file(small)] }, { id: 'b', localModels: [file(small)] })
  expect(chooseForFleet(view)).toMatchObject({ modelId: small, source: { kind: 'local', path: null } })
})

test('a demo is never chosen, and without files the catalog is', () => {
  const view = viewOf({ id: 'a', localModels: [file('shoal-demo', { isDemo: true })] })
  expect(chooseForFleet(view)).toMatchObject({ source: { kind: 'hub' } })
})

test('where every node serves something, the model on most of them is chosen', () => {
  const view = viewOf(
    { id: 'a', models: [modelState(large)] },
    { id: 'b', models: [modelState(small)] },
    { id: 'c', models: [modelState(small)] },
  )
  expect(chooseForFleet(view).modelId).toBe(small)
})

test('no node and nothing that fits are told apart', () => {
  expect(() => chooseForFleet({ nodes: [] })).toThrow(expect.objectContaining({ code: 'NO_NODE' }))
  const tiny = viewOf({ id: 'a' })
  const memory = { totalBytes: 2e8, limitBytes: 2e8, availableBytes: 1e8, bandwidthBytesPerSecond: 50e9 }
  const starved = tiny.nodes.map((node) => ({
    ...node,
    description: { ...node.description, profile: { ...node.description.profile, memory } },
  }))
  expect(() => chooseForFleet({ nodes: starved })).toThrow(expect.objectContaining({ code: 'MODEL_DOES_NOT_FIT' }))
})
