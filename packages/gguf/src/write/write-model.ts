import { type ArchitecturePlan, planArchitecture } from './architectures.ts'
import { type GgufPlan, type TensorPlan, writeGguf } from './gguf-writer.ts'
import { f32, type MetadataInputs, text, u32 } from './header-encoder.ts'
import { madeUpWords } from './made-up-words.ts'
import type { ModelSpec } from './model-spec.ts'
import {
  chatRoles,
  chatSpecials,
  chatTemplate,
  createVocabulary,
  thinkingChatTemplate,
  type Vocabulary,
  vocabularyMetadata,
} from './vocabulary.ts'
import { createWeightFactory } from './weight-plan.ts'

/** `general.file_type` by weight type. */
const fileTypes: Readonly<Record<ModelSpec['weightType'], number>> = { F16: 1, Q4_0: 2, Q8_0: 7 }
/** Spread of the logits: with 2, sampling at temperature 1 is neither greedy nor uniform. */
const headGain = 2

/**
 * Writes a valid model with random weights: it decodes to varied nonsense, at the speed of a real model of its dimensions. Its output
 * head ignores bytes and special tokens, so greedy decoding never ends by itself and its text is whole characters.
 * Memory is a few megabytes whatever the size of the model; about a gigabyte takes some seconds.
 * @throws ShoalError DISK_FULL; RangeError when the dimensions do not fit the weight type's blocks.
 */
export async function writeModel(spec: ModelSpec, path: string): Promise<void> {
  await writeGguf(planModel(spec), path)
}

/** Keys and tensors of a generated model, in the order of the file. */
export function planModel(spec: ModelSpec): GgufPlan {
  const architecture = planArchitecture(spec)
  const vocabulary = createVocabulary(words(spec.vocabularySize), chatSpecials, spec.vocabularySize)
  const metadata: MetadataInputs = {
    'general.architecture': text(spec.architecture),
    'general.name': text(spec.name),
    'general.file_type': u32(fileTypes[spec.weightType]),
    ...withPrefix(spec.architecture, {
      vocab_size: u32(vocabulary.tokens.length),
      context_length: u32(spec.contextTokens),
      embedding_length: u32(spec.embeddingLength),
      block_count: u32(spec.layerCount),
      'attention.head_count': u32(spec.headCount),
      'attention.head_count_kv': u32(spec.headCountKv),
      'attention.key_length': u32(spec.headLength),
      'attention.value_length': u32(spec.headLength),
      'attention.layer_norm_rms_epsilon': f32(1e-6),
      ...architecture.keys,
    }),
    ...vocabularyMetadata(vocabulary, spec.architecture === 'qwen35' ? thinkingChatTemplate : chatTemplate),
  }
  return { metadata, tensors: planTensors(spec, architecture, vocabulary) }
}

function planTensors(spec: ModelSpec, architecture: ArchitecturePlan, vocabulary: Vocabulary): readonly TensorPlan[] {
  const { embeddingLength } = spec
  const weights = createWeightFactory(spec.seed, spec.weightType)
  const size = vocabulary.tokens.length
  return [
    // A row of the embedding is a state of the stream, not a projection: undo the division by the row length.
    weights.matrix('token_embd.weight', [embeddingLength, size], Math.sqrt(embeddingLength)),
    ...Array.from({ length: spec.layerCount }, (_, layer) => architecture.blockTensors({ weights, layer, embeddingLength })).flat(),
    weights.norm('output_norm.weight', embeddingLength),
    weights.headMatrix('output.weight', [embeddingLength, size], {
      gain: headGain,
      keeps: (row) => vocabulary.speakable[row] === true,
    }),
  ]
}

/** More than enough words to fill the vocabulary: every word adds at least one token. */
function words(vocabularySize: number): readonly string[] {
  const found: string[] = [...chatRoles]
  for (const word of madeUpWords()) {
    if (found.push(word) >= vocabularySize) break
  }
  return found
}

function withPrefix(architecture: string, keys: MetadataInputs): MetadataInputs {
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value]))
}
