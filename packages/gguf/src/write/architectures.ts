import { attentionTensors, type BlockPlace, deltaNetTensors, denseTensors, expertTensors } from './blocks.ts'
import type { TensorPlan } from './gguf-writer.ts'
import { f32, i32s, type MetadataInputs, u32 } from './header-encoder.ts'
import type { LlamaSpec, ModelSpec, Qwen3MoeSpec, Qwen35Spec } from './model-spec.ts'

/** Keys after `<architecture>.` and the tensors of one block, in llama.cpp's names and shapes (src/models of its sources). */
export interface ArchitecturePlan {
  readonly keys: MetadataInputs
  blockTensors(place: BlockPlace): readonly TensorPlan[]
}

export function planArchitecture(spec: ModelSpec): ArchitecturePlan {
  switch (spec.architecture) {
    case 'llama':
      return planLlama(spec)
    case 'qwen3moe':
      return planQwen3Moe(spec)
    case 'qwen35':
      return planQwen35(spec)
  }
}

function planLlama(spec: LlamaSpec): ArchitecturePlan {
  return {
    keys: {
      feed_forward_length: u32(spec.feedForwardLength),
      'rope.dimension_count': u32(spec.headLength),
      'rope.freq_base': f32(10_000),
    },
    blockTensors: (place) => [
      place.weights.norm(`blk.${place.layer}.attn_norm.weight`, spec.embeddingLength),
      ...attentionTensors(place, { ...spec, hasHeadNorms: false, hasGate: false }),
      place.weights.norm(`blk.${place.layer}.ffn_norm.weight`, spec.embeddingLength),
      ...denseTensors(place, spec.feedForwardLength),
    ],
  }
}

function planQwen3Moe(spec: Qwen3MoeSpec): ArchitecturePlan {
  return {
    keys: {
      feed_forward_length: u32(spec.expert.feedForwardLength * spec.expert.usedCount),
      expert_count: u32(spec.expert.count),
      expert_used_count: u32(spec.expert.usedCount),
      expert_feed_forward_length: u32(spec.expert.feedForwardLength),
      'rope.freq_base': f32(1_000_000),
    },
    blockTensors: (place) => [
      place.weights.norm(`blk.${place.layer}.attn_norm.weight`, spec.embeddingLength),
      ...attentionTensors(place, { ...spec, hasHeadNorms: true, hasGate: false }),
      place.weights.norm(`blk.${place.layer}.ffn_norm.weight`, spec.embeddingLength),
      ...expertTensors(place, spec.expert),
    ],
  }
}

function planQwen35(spec: Qwen35Spec): ArchitecturePlan {
  const { deltaNet } = spec
  // A quarter of each head is rotated; its pairs are shared out to time, height and width as 11 : 11 : 10.
  const rotatedLength = Math.max(2, spec.headLength / 4)
  const pairs = rotatedLength / 2
  const third = Math.ceil(pairs / 3)
  const sections = [third, Math.min(third, pairs - third), Math.max(0, pairs - 2 * third), 0]
  return {
    keys: {
      feed_forward_length: u32(spec.feedForwardLength),
      full_attention_interval: u32(spec.fullAttentionInterval),
      'rope.dimension_count': u32(rotatedLength),
      'rope.dimension_sections': i32s(sections),
      'rope.freq_base': f32(10_000_000),
      'ssm.conv_kernel': u32(deltaNet.convolutionKernel),
      'ssm.state_size': u32(deltaNet.stateLength),
      'ssm.group_count': u32(deltaNet.groupCount),
      'ssm.time_step_rank': u32(deltaNet.valueHeadCount),
      'ssm.inner_size': u32(deltaNet.stateLength * deltaNet.valueHeadCount),
    },
    blockTensors: (place) => [
      place.weights.norm(`blk.${place.layer}.attn_norm.weight`, spec.embeddingLength),
      ...((place.layer + 1) % spec.fullAttentionInterval === 0
        ? attentionTensors(place, { ...spec, hasHeadNorms: true, hasGate: true })
        : deltaNetTensors(place, deltaNet)),
      place.weights.norm(`blk.${place.layer}.post_attention_norm.weight`, spec.embeddingLength),
      ...denseTensors(place, spec.feedForwardLength),
    ],
  }
}
