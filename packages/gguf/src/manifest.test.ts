import { ShoalError } from '@shoal/core'
import { describe, expect, test } from 'vitest'
import { type GgufHeader, readGgufHeader } from './header.ts'
import { parseManifest } from './manifest.ts'
import { requireTensorType } from './tensor-types.ts'
import { memorySource } from './testing/memory-source.ts'
import { smallModelSpec } from './testing/small-model.ts'
import { encodeHeader, flag, i32s, type MetadataInputs, type TensorLayout, text, u32 } from './write/header-encoder.ts'
import type { ModelSpec } from './write/model-spec.ts'
import { planModel } from './write/write-model.ts'

const half = requireTensorType('F16')
/** More than any data section here takes; only headers exist in these tests. */
const dataBytesMax = 2 ** 42

async function headerOf(metadata: MetadataInputs, tensors: readonly TensorLayout[] = []): Promise<GgufHeader> {
  const { bytes } = encodeHeader(metadata, tensors)
  return await readGgufHeader(memorySource(bytes, bytes.length + dataBytesMax))
}

async function manifestOf(architecture: string, keys: MetadataInputs, tensors: readonly TensorLayout[] = []) {
  const own = Object.entries(keys).map(([key, value]) => [/^(general|tokenizer|shoal)\./.test(key) ? key : `${architecture}.${key}`, value])
  return parseManifest([await headerOf({ 'general.architecture': text(architecture), ...Object.fromEntries(own) }, tensors)])
}

const manifestOfSpec = async (spec: ModelSpec) => {
  const plan = planModel(spec)
  return parseManifest([await headerOf(plan.metadata, plan.tensors)])
}

const transformer = (layers: number): MetadataInputs => ({
  block_count: u32(layers),
  embedding_length: u32(1024),
  'attention.head_count': u32(8),
})

describe('hybrids of delta net and attention', () => {
  // Layers, embedding, heads, KV heads, V heads -> attention layers, bytes of KV a token at f16, bytes of state a sequence: published models.
  test.each([
    ['0.8B', 24, 1024, 8, 2, 16, 6, 12_288, 20_201_472],
    ['4B', 32, 2560, 16, 4, 32, 8, 32_768, 52_690_944],
    ['9B', 32, 4096, 16, 4, 32, 8, 32_768, 52_690_944],
    ['27B', 64, 5120, 24, 4, 48, 16, 65_536, 156_893_184],
    ['35B-A3B', 40, 2048, 16, 2, 32, 10, 20_480, 65_863_680],
    ['122B-A10B', 48, 3072, 32, 2, 64, 12, 24_576, 156_303_360],
  ])('Qwen3.5 %s', async (_, layers, embedding, heads, headsKv, valueHeads, attentionLayers, kvBytes, stateBytes) => {
    const keys: MetadataInputs = {
      block_count: u32(layers),
      embedding_length: u32(embedding),
      'attention.head_count': u32(heads),
      'attention.head_count_kv': u32(headsKv),
      'attention.key_length': u32(256),
      'attention.value_length': u32(256),
      'ssm.conv_kernel': u32(4),
      'ssm.state_size': u32(128),
      'ssm.group_count': u32(16),
      'ssm.time_step_rank': u32(valueHeads),
      'ssm.inner_size': u32(128 * valueHeads),
    }
    const manifest = await manifestOf('qwen35', keys)
    expect(manifest.attentionLayerCount).toBe(attentionLayers)
    expect(manifest.recurrentStateBytesPerSequence).toBe(stateBytes)
    expect(manifest.attentionLayerCount * manifest.headCountKv * (manifest.keyLength + manifest.valueLength) * 2).toBe(kvBytes)

    const withPrediction = await manifestOf('qwen35', { ...keys, block_count: u32(layers + 1), nextn_predict_layers: u32(1) })
    expect(withPrediction).toMatchObject({
      layerCount: layers,
      attentionLayerCount: attentionLayers,
      recurrentStateBytesPerSequence: stateBytes,
    })
  })

  test('the interval is taken from the file when it is there', async () => {
    const manifest = await manifestOf('qwen35moe', { ...transformer(12), full_attention_interval: u32(3) })
    expect(manifest.attentionLayerCount).toBe(4)
  })

  test('blocks without KV heads keep state instead', async () => {
    const manifest = await manifestOf('lfm2', {
      ...transformer(6),
      'attention.head_count_kv': i32s([0, 0, 8, 0, 0, 8]),
      'shortconv.l_cache': u32(3),
    })
    expect(manifest).toMatchObject({ attentionLayerCount: 2, headCountKv: 8, recurrentStateBytesPerSequence: 4 * 4 * 2 * 1024 })
  })

  test('a model without attention has no KV cache', async () => {
    const manifest = await manifestOf('mamba', {
      block_count: u32(24),
      embedding_length: u32(768),
      'ssm.conv_kernel': u32(4),
      'ssm.inner_size': u32(1536),
      'ssm.state_size': u32(16),
    })
    expect(manifest).toMatchObject({ attentionLayerCount: 0, recurrentStateBytesPerSequence: 24 * 4 * (3 * 1536 + 16 * 1536) })
  })
})

describe('parameters and bytes of generated headers equal those of published models', () => {
  const base = { seed: 1, weightType: 'Q8_0', contextTokens: 4096, name: 'published dimensions' } as const
  const deltaNet = { convolutionKernel: 4, stateLength: 128, groupCount: 16 }

  test('Qwen3.5-9B', async () => {
    const spec: ModelSpec = {
      ...base,
      architecture: 'qwen35',
      layerCount: 32,
      embeddingLength: 4096,
      headCount: 16,
      headCountKv: 4,
      headLength: 256,
      feedForwardLength: 12_288,
      vocabularySize: 248_320,
      fullAttentionInterval: 4,
      deltaNet: { ...deltaNet, valueHeadCount: 32 },
    }
    const manifest = await manifestOfSpec(spec)
    expect(manifest.parameterCount).toBe(8_953_803_264)
    expect(manifest.parameterCount - 4096 * 248_320).toBe(7_936_684_544)
    expect(manifest.vocabularySize).toBe(248_320)
    // The stored file of 9.528 GB less its header of about 11 MB.
    const weightBytes = Object.values(manifest.tensorGroupBytes).reduce((sum, bytes) => sum + bytes, 0)
    expect(weightBytes / 1e9).toBeCloseTo(9.517, 2)
  })

  test('Qwen3-30B-A3B', async () => {
    const manifest = await manifestOfSpec({
      ...base,
      architecture: 'qwen3moe',
      layerCount: 48,
      embeddingLength: 2048,
      headCount: 32,
      headCountKv: 4,
      headLength: 128,
      vocabularySize: 151_936,
      expert: { count: 128, usedCount: 8, feedForwardLength: 768 },
    })
    expect(manifest.parameterCount).toBe(30_532_122_624)
    expect(manifest.expert).toEqual({ count: 128, usedCount: 8, feedForwardLength: 768 })
    expect(manifest.tensorGroupBytes.experts).toBe(48 * 128 * 3 * 2048 * 768 * (34 / 32))
  })

  test('Llama 3.2 3B, whose embedding and output are stored twice here', async () => {
    const manifest = await manifestOfSpec({
      ...base,
      architecture: 'llama',
      layerCount: 28,
      embeddingLength: 3072,
      headCount: 24,
      headCountKv: 8,
      headLength: 128,
      feedForwardLength: 8192,
      vocabularySize: 128_256,
    })
    expect(manifest.parameterCount - 3072 * 128_256).toBe(3_212_749_824)
  })
})

test('tensors are sorted into groups by name, and blocks for multi-token prediction are left out', async () => {
  const names = [
    ['token_embd.weight', 'embedding'],
    ['per_layer_token_embd.weight', 'embedding'],
    ['output.weight', 'output'],
    ['blk.0.attn_q.weight', 'attention'],
    ['blk.0.attn_gate.weight', 'attention'],
    ['blk.0.ssm_conv1d.weight', 'attention'],
    ['blk.0.ffn_up.weight', 'feedForward'],
    ['blk.0.ffn_up_shexp.weight', 'feedForward'],
    ['blk.0.ffn_gate_inp.weight', 'feedForward'],
    ['blk.0.ffn_gate_up_exps.weight', 'experts'],
    ['blk.0.ffn_down_exps.bias', 'experts'],
    ['blk.0.attn_norm.weight', 'other'],
    ['blk.0.attn_q_norm.weight', 'other'],
    ['output_norm.weight', 'other'],
  ] as const
  // Powers of two tell in every sum which tensors are in it.
  const tensors = names.map(([name], index) => ({ name, type: half, dims: [2 ** index] }))
  const prediction = { name: 'blk.1.nextn.eh_proj.weight', type: half, dims: [2 ** 20] }
  const manifest = await manifestOf('qwen35', { ...transformer(2), nextn_predict_layers: u32(1) }, [...tensors, prediction])
  const expected = { embedding: 0, output: 0, attention: 0, feedForward: 0, experts: 0, other: 0 }
  for (const [index, [, group]] of names.entries()) expected[group] += 2 * 2 ** index
  expect(manifest.tensorGroupBytes).toEqual(expected)
  expect(manifest.parameterCount).toBe(2 ** names.length - 1)
})

test('keys that a file leaves out get their defaults or null', async () => {
  const manifest = await manifestOf('llama', { ...transformer(2) }, [{ name: 'token_embd.weight', type: half, dims: [1024, 77] }])
  expect(manifest).toMatchObject({
    name: null,
    quantization: 'F16',
    contextTokensTrained: null,
    headCountKv: 8,
    keyLength: 128,
    valueLength: 128,
    slidingWindowTokens: null,
    vocabularySize: 77,
    expert: null,
    chatTemplate: null,
    isDemo: false,
    attentionLayerCount: 2,
    recurrentStateBytesPerSequence: 0,
  })
})

test('label, window, template and the demo mark come from their keys', async () => {
  const manifest = await manifestOf('gpt-oss', {
    ...transformer(24),
    'attention.sliding_window': u32(128),
    expert_count: u32(32),
    expert_used_count: u32(4),
    expert_feed_forward_length: u32(2880),
    'general.file_type': u32(38),
    'general.name': text('gpt-oss 20b'),
    'tokenizer.chat_template': text('{{ messages }}'),
    'shoal.demo': flag(true),
  })
  expect(manifest).toMatchObject({
    name: 'gpt-oss 20b',
    quantization: 'MXFP4_MOE',
    slidingWindowTokens: 128,
    expert: { count: 32, usedCount: 4, feedForwardLength: 2880 },
    chatTemplate: '{{ messages }}',
    isDemo: true,
  })
})

describe('a file that is no usable language model is refused with a reason', () => {
  test.each<[string, MetadataInputs, RegExp]>([
    ['no architecture', {}, /no general\.architecture/],
    ['a vision projector', { 'general.architecture': text('clip') }, /part of type mmproj/],
    ['an adapter', { 'general.architecture': text('llama'), 'general.type': text('adapter') }, /part of type adapter/],
    ['no layers', { 'general.architecture': text('llama') }, /block_count is null/],
    ['too many layers', { 'general.architecture': text('llama'), 'llama.block_count': u32(4_000_000_000) }, /block_count is 4000000000/],
    ['only prediction blocks', { ...llamaKeys(), 'llama.nextn_predict_layers': u32(2) }, /nextn_predict_layers is 2 of only 2/],
    ['no width', { 'general.architecture': text('llama'), 'llama.block_count': u32(2) }, /no llama\.embedding_length/],
    [
      'more experts used than there are',
      { ...llamaKeys(), 'llama.expert_count': u32(4), 'llama.expert_used_count': u32(5) },
      /uses 5 of 4/,
    ],
  ])('%s', async (_, metadata, problem) => {
    const header = await headerOf(metadata)
    expect(() => parseManifest([header])).toThrow(ShoalError)
    expect(() => parseManifest([header])).toThrow(problem)
  })
})

test('generated small models describe themselves', async () => {
  const manifest = await manifestOfSpec(smallModelSpec({ architecture: 'qwen35', weightType: 'Q4_0' }))
  expect(manifest).toMatchObject({
    architecture: 'qwen35',
    quantization: 'Q4_0',
    layerCount: 4,
    attentionLayerCount: 1,
    vocabularySize: 2048,
  })
})

function llamaKeys(): MetadataInputs {
  return { 'general.architecture': text('llama'), 'llama.block_count': u32(2), 'llama.embedding_length': u32(64) }
}
