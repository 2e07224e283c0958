import type { ModelManifest } from '@shoal/core'
import type { CatalogEntry, CatalogModel } from '../catalog/catalog.ts'

/** What sizing and speed need of a model, from its header or from the catalog; null = unknown. */
export interface ModelDimensions {
  readonly architecture: string | null
  /** All parts of the file. */
  readonly weightBytes: number
  /** Input embedding: looked up row by row, and kept in RAM when layers go to a GPU. */
  readonly embeddingBytes: number | null
  /** The input embedding is the output head, too. */
  readonly embeddingIsTied: boolean
  /** What decoding one token reads of the weights. */
  readonly decodeReadBytes: number | null
  readonly layerCount: number | null
  readonly embeddingLength: number | null
  /** Width of the widest feed-forward step of one token: the dense width, or that of all its experts together. */
  readonly feedForwardLength: number | null
  readonly vocabularySize: number | null
  /** f16, all layers whose KV cache grows with the context. */
  readonly kvBytesPerToken: number | null
  /** f16, all layers whose KV cache is a sliding window. */
  readonly windowKvBytesPerToken: number
  readonly slidingWindowTokens: number | null
  /** f32, per slot. */
  readonly recurrentStateBytesPerSequence: number | null
  readonly contextTokensTrained: number | null
  /** Has layers with recurrent state: more, smaller kernels per layer. */
  readonly isHybrid: boolean
  readonly usesExperts: boolean
}

/** Bytes of one f16 key and value per layer and token. */
const kvBytesPerLayer = (shape: { headCountKv: number; keyLength: number; valueLength: number }): number =>
  shape.headCountKv * (shape.keyLength + shape.valueLength) * 2

/**
 * Every n-th layer attends to everything, the others slide (llama.cpp, `load_swa_pattern` of these architectures). For an
 * architecture that is not here all layers count as full: an upper bound.
 */
const fullAttentionIntervals: Readonly<Record<string, number>> = { 'gpt-oss': 2, gemma2: 2, cohere2: 4, gemma3: 6 }

/** From a header. Numbers that differ from layer to layer are upper bounds there, and so is what follows from them. */
export function dimensionsOfManifest(manifest: ModelManifest): ModelDimensions {
  const { tensorGroupBytes: bytes, expert, slidingWindowTokens } = manifest
  const isTied = bytes.output === 0
  const usedShare = expert === null ? 1 : expert.usedCount / expert.count
  const interval = slidingWindowTokens === null ? 1 : (fullAttentionIntervals[manifest.architecture] ?? 1)
  const fullLayers = Math.floor(manifest.attentionLayerCount / interval)
  const perLayer = kvBytesPerLayer(manifest)
  const expertWidth = expert?.feedForwardLength ?? null
  return {
    architecture: manifest.architecture,
    weightBytes: manifest.fileBytes,
    embeddingBytes: bytes.embedding,
    embeddingIsTied: isTied,
    decodeReadBytes:
      bytes.attention + bytes.feedForward + bytes.other + bytes.experts * usedShare + (isTied ? bytes.embedding : bytes.output),
    layerCount: manifest.layerCount,
    embeddingLength: manifest.embeddingLength,
    feedForwardLength: expert === null || expertWidth === null ? null : expertWidth * expert.usedCount,
    vocabularySize: manifest.vocabularySize,
    kvBytesPerToken: fullLayers * perLayer,
    windowKvBytesPerToken: (manifest.attentionLayerCount - fullLayers) * perLayer,
    slidingWindowTokens,
    recurrentStateBytesPerSequence: manifest.recurrentStateBytesPerSequence,
    contextTokensTrained: manifest.contextTokensTrained,
    isHybrid: manifest.recurrentStateBytesPerSequence > 0,
    usesExperts: expert !== null,
  }
}

/** From the catalog, before there is a file. */
export function dimensionsOfEntry({ model, file }: CatalogEntry): ModelDimensions {
  const { embeddingLength, vocabularySize, parameterCount, decodeReadFraction, expert } = model
  const embeddingShare =
    embeddingLength === null || vocabularySize === null || parameterCount === null
      ? null
      : (embeddingLength * vocabularySize) / parameterCount
  return {
    architecture: model.architecture,
    weightBytes: file.bytes,
    embeddingBytes: embeddingShare === null ? null : Math.round(file.bytes * embeddingShare),
    embeddingIsTied: decodeReadFraction === 1,
    decodeReadBytes: decodeReadFraction === null ? null : Math.round(file.bytes * decodeReadFraction),
    layerCount: model.layerCount,
    embeddingLength,
    feedForwardLength: expert === null ? model.feedForwardLength : expert.feedForwardLength * expert.usedCount,
    vocabularySize,
    kvBytesPerToken: model.kvBytesPerToken,
    windowKvBytesPerToken: windowKvOf(model),
    slidingWindowTokens: model.slidingWindowTokens,
    recurrentStateBytesPerSequence: model.recurrentStateBytesPerSequence,
    contextTokensTrained: model.contextTokensTrained,
    isHybrid: model.recurrent !== null,
    usesExperts: expert !== null,
  }
}

function windowKvOf(model: CatalogModel): number {
  const { attentionLayerCount, fullAttentionLayerCount, headCountKv, keyLength, valueLength } = model
  if (attentionLayerCount === null || fullAttentionLayerCount === null) return 0
  if (headCountKv === null || keyLength === null || valueLength === null) return 0
  return (attentionLayerCount - fullAttentionLayerCount) * kvBytesPerLayer({ headCountKv, keyLength, valueLength })
}
