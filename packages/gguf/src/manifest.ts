import type { ExpertShape, ModelManifest } from '@shoal/core'
import type { GgufHeader } from './header.ts'
import { invalidFile } from './invalid-file.ts'
import { layerKindsOf } from './layer-kinds.ts'
import { createMetadataLookup, type MetadataLookup } from './metadata-lookup.ts'
import { recurrentStateBytesPerLayer } from './recurrent-state.ts'
import { sumTensors } from './tensor-groups.ts'
import type { TensorInfo } from './tensor-info.ts'
import { fileTypeLabel } from './tensor-types.ts'

/** llama.cpp's LLAMA_MAX_LAYERS and LLAMA_MAX_EXPERTS: beyond them it aborts its process. */
const layersMax = 512
const expertsMax = 1024

/** Key that Shoal's own demonstration model carries. */
export const demoKey = 'shoal.demo'

/**
 * Headers of all parts of one model, first part first -> what the planner needs to know of it.
 * Tensor sums and parameters leave out blocks for multi-token prediction, which are stored but not loaded.
 * @throws ShoalError MODEL_FILE_INVALID when a field that every language model has is absent or makes no sense.
 */
export function parseManifest(headers: readonly GgufHeader[]): ModelManifest {
  const [first] = headers
  if (first === undefined) throw new RangeError('a model has at least one part')
  const lookup = createMetadataLookup(first.metadata)
  const architecture = architectureOf(lookup, first.name)
  const tensors = mergeTensors(headers)
  const shape = shapeOf({ lookup, architecture, name: first.name })
  const kinds = layerKindsOf(lookup, architecture, shape.layerCount)
  const stateBytes = kinds.recurrentLayerCount === 0 ? 0 : recurrentStateBytesPerLayer({ lookup, architecture, ...shape })
  const sums = sumTensors(tensors.values(), shape.layerCount)
  return {
    architecture,
    name: lookup.text('general.name'),
    quantization: quantizationOf(lookup, tensors.values()),
    parameterCount: sums.parameterCount,
    fileBytes: headers.reduce((bytes, header) => bytes + header.sizeBytes, 0),
    tensorGroupBytes: sums.groupBytes,
    contextTokensTrained: lookup.count(`${architecture}.context_length`),
    ...shape,
    attentionLayerCount: kinds.attentionLayerCount,
    slidingWindowTokens: lookup.count(`${architecture}.attention.sliding_window`) || null,
    vocabularySize: vocabularySizeOf(lookup, architecture, tensors),
    expert: expertShapeOf({ lookup, architecture, name: first.name }, tensors),
    recurrentStateBytesPerSequence: kinds.recurrentLayerCount * stateBytes,
    chatTemplate: lookup.text('tokenizer.chat_template'),
    isDemo: lookup.flag(demoKey) === true,
  }
}

/** Adapters and projectors of vision models are GGUF files too. */
function architectureOf(lookup: MetadataLookup, name: string): string {
  const architecture = lookup.text('general.architecture')
  if (architecture === null) throw invalidFile(name, 'has no general.architecture')
  const fileKind = lookup.text('general.type') ?? (architecture === 'clip' ? 'mmproj' : 'model')
  if (fileKind !== 'model') throw invalidFile(name, `holds no language model but a part of type ${fileKind}`, 'Name the model file itself.')
  return architecture
}

interface ArchitectureFacts {
  readonly lookup: MetadataLookup
  readonly architecture: string
  /** Path for messages. */
  readonly name: string
}

type Shape = Pick<ModelManifest, 'layerCount' | 'embeddingLength' | 'headCount' | 'headCountKv' | 'keyLength' | 'valueLength'>

/** Where a number differs from layer to layer the largest stands: sizes computed from it are upper bounds. */
function shapeOf({ lookup, architecture, name }: ArchitectureFacts): Shape {
  const count = (key: string): number | null => lookup.count(`${architecture}.${key}`)
  const blocks = count('block_count')
  if (blocks === null || blocks < 1 || blocks > layersMax) {
    throw invalidFile(name, `${architecture}.block_count is ${String(blocks)}, it must be from 1 to ${layersMax}`)
  }
  const predictionBlocks = count('nextn_predict_layers') ?? 0
  if (predictionBlocks >= blocks) {
    throw invalidFile(name, `${architecture}.nextn_predict_layers is ${predictionBlocks} of only ${blocks} blocks`)
  }
  const layerCount = blocks - predictionBlocks
  const embeddingLength = count('embedding_length')
  if (embeddingLength === null || embeddingLength < 1) throw invalidFile(name, `has no ${architecture}.embedding_length`)
  const largest = (key: string): number | null => {
    const values = lookup.countPerLayer(`${architecture}.attention.${key}`, layerCount)
    return values === null ? null : Math.max(...values)
  }
  const headCount = largest('head_count') ?? 0
  const headLength = headCount === 0 ? 0 : Math.floor(embeddingLength / headCount)
  return {
    layerCount,
    embeddingLength,
    headCount,
    headCountKv: largest('head_count_kv') ?? headCount,
    keyLength: count('attention.key_length') ?? headLength,
    valueLength: count('attention.value_length') ?? headLength,
  }
}

function expertShapeOf({ lookup, architecture, name }: ArchitectureFacts, tensors: ReadonlyMap<string, TensorInfo>): ExpertShape | null {
  const count = lookup.count(`${architecture}.expert_count`) ?? 0
  if (count === 0) return null
  const usedCount = Math.max(...(lookup.countPerLayer(`${architecture}.expert_used_count`, 1) ?? [0]))
  if (count > expertsMax || usedCount < 1 || usedCount > count) {
    throw invalidFile(name, `uses ${usedCount} of ${count} experts; 1 to all of at most ${expertsMax} make sense`)
  }
  // Not every architecture has a key for the width; the down projection's row always is it.
  const down = [...tensors.values()].find((tensor) => tensor.name.endsWith('.ffn_down_exps.weight'))
  const feedForwardLength = down?.dims[0] ?? lookup.count(`${architecture}.expert_feed_forward_length`)
  return { count, usedCount, feedForwardLength }
}

function mergeTensors(headers: readonly GgufHeader[]): ReadonlyMap<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>()
  for (const header of headers) {
    for (const tensor of header.tensors) {
      if (tensors.has(tensor.name)) throw invalidFile(header.name, `tensor ${tensor.name} is already in an earlier part`)
      tensors.set(tensor.name, tensor)
    }
  }
  return tensors
}

function vocabularySizeOf(lookup: MetadataLookup, architecture: string, tensors: ReadonlyMap<string, TensorInfo>): number {
  return (
    lookup.arrayLength('tokenizer.ggml.tokens') ??
    lookup.count(`${architecture}.vocab_size`) ??
    tensors.get('token_embd.weight')?.dims[1] ??
    0
  )
}

/** The file's own label, else the type that takes the most bytes. */
function quantizationOf(lookup: MetadataLookup, tensors: Iterable<TensorInfo>): string | null {
  const fileType = lookup.count('general.file_type')
  const label = fileType === null ? null : fileTypeLabel(fileType)
  if (label !== null) return label
  const bytesByType = new Map<string, number>()
  for (const tensor of tensors) bytesByType.set(tensor.type.name, (bytesByType.get(tensor.type.name) ?? 0) + tensor.bytes)
  const [largest] = [...bytesByType].sort(([, a], [, b]) => b - a)
  return largest?.[0] ?? null
}
