import { modelId } from '@shoal/core'
import { demoKey } from '../manifest.ts'
import { writeGguf } from '../write/gguf-writer.ts'
import { f32, flag, type MetadataInputs, text, u32 } from '../write/header-encoder.ts'
import { chatRoles, chatSpecials, chatTemplate, createVocabulary, endOfTurn, spell, vocabularyMetadata } from '../write/vocabulary.ts'
import { createChainModel } from './chain-model.ts'
import { demoScript } from './script.ts'
import { createWordChain, outside } from './word-chain.ts'

export const demoModelId = modelId('shoal-demo')

/** Part of the model's name; counts up with every change of its bytes. */
const demoVersion = 1
const contextTokens = 32_768

/**
 * Writes the demonstration model: a real GGUF of a few megabytes whose weights hold a small chain of words. It babbles about Shoal, says
 * that it knows nothing, and ends by itself. The same version always gives the same bytes.
 * @throws ShoalError as `writeGguf`.
 */
export async function writeDemoModel(path: string): Promise<void> {
  const chain = createWordChain(demoScript)
  const vocabulary = createVocabulary([...chain.words, ...chatRoles], chatSpecials)
  const idOf = (word: string): number => vocabulary.idOf(word === outside ? endOfTurn : spell(word))
  const templateTokens = new Set(
    [...chatRoles, '\n']
      .map(spell)
      .concat(chatSpecials.map(({ text }) => text))
      .map(vocabulary.idOf),
  )
  const model = createChainModel({ chain, tokenCount: vocabulary.tokens.length, idOf, templateTokens })
  const metadata: MetadataInputs = {
    'general.architecture': text('llama'),
    'general.name': text('Shoal demo'),
    'general.version': text(String(demoVersion)),
    'general.description': text('Demonstration only: babbles from a built-in table of words and knows nothing.'),
    'general.file_type': u32(1),
    [demoKey]: flag(true),
    'llama.vocab_size': u32(vocabulary.tokens.length),
    'llama.context_length': u32(contextTokens),
    'llama.embedding_length': u32(model.embeddingLength),
    'llama.block_count': u32(1),
    'llama.feed_forward_length': u32(model.feedForwardLength),
    'llama.attention.head_count': u32(model.headCount),
    'llama.attention.head_count_kv': u32(model.headCount),
    'llama.attention.key_length': u32(model.headLength),
    'llama.attention.value_length': u32(model.headLength),
    'llama.attention.layer_norm_rms_epsilon': f32(model.normEpsilon),
    'llama.rope.dimension_count': u32(model.headLength),
    'llama.rope.freq_base': f32(model.ropeBase),
    ...vocabularyMetadata(vocabulary, chatTemplate),
  }
  await writeGguf({ metadata, tensors: model.tensors }, path)
}
