import type { LocalModel, ModelManifest } from '@shoal/core'
import type { LocalModel as WireLocalModel, LocalModel__Output as WireLocalModelRead } from '../generated/shoal/v1/LocalModel.ts'
import type { ModelManifest as WireManifest, ModelManifest__Output as WireManifestRead } from '../generated/shoal/v1/ModelManifest.ts'
import { parseInteger, requireMessage, requireText } from './parse.ts'

export function encodeLocalModel(model: LocalModel): WireLocalModel {
  const wire: WireLocalModel = { modelId: model.modelId, path: model.path, manifest: encodeManifest(model.manifest) }
  if (model.sha256 !== null) wire.sha256 = model.sha256
  return wire
}

export function parseLocalModel(wire: WireLocalModelRead): LocalModel {
  return {
    modelId: requireText(wire.modelId, 'local_models.model_id'),
    path: wire.path,
    sha256: wire.sha256 ?? null,
    manifest: parseManifest(requireMessage(wire.manifest, 'local_models.manifest')),
  }
}

function encodeManifest(manifest: ModelManifest): WireManifest {
  const { expert } = manifest
  const wire: WireManifest = {
    architecture: manifest.architecture,
    parameterCount: manifest.parameterCount,
    fileBytes: manifest.fileBytes,
    tensorGroupBytes: manifest.tensorGroupBytes,
    layerCount: manifest.layerCount,
    attentionLayerCount: manifest.attentionLayerCount,
    embeddingLength: manifest.embeddingLength,
    headCount: manifest.headCount,
    headCountKv: manifest.headCountKv,
    keyLength: manifest.keyLength,
    valueLength: manifest.valueLength,
    vocabularySize: manifest.vocabularySize,
    recurrentStateBytesPerSequence: manifest.recurrentStateBytesPerSequence,
    isDemo: manifest.isDemo,
  }
  if (manifest.name !== null) wire.name = manifest.name
  if (manifest.quantization !== null) wire.quantization = manifest.quantization
  if (manifest.contextTokensTrained !== null) wire.contextTokensTrained = manifest.contextTokensTrained
  if (manifest.slidingWindowTokens !== null) wire.slidingWindowTokens = manifest.slidingWindowTokens
  if (manifest.chatTemplate !== null) wire.chatTemplate = manifest.chatTemplate
  if (expert !== null) {
    wire.expert = { count: expert.count, usedCount: expert.usedCount }
    if (expert.feedForwardLength !== null) wire.expert.feedForwardLength = expert.feedForwardLength
  }
  return wire
}

function parseManifest(wire: WireManifestRead): ModelManifest {
  const groups = requireMessage(wire.tensorGroupBytes, 'manifest.tensor_group_bytes')
  const { expert } = wire
  return {
    architecture: wire.architecture,
    name: wire.name ?? null,
    quantization: wire.quantization ?? null,
    parameterCount: parseInteger(wire.parameterCount, 'manifest.parameter_count'),
    fileBytes: parseInteger(wire.fileBytes, 'manifest.file_bytes'),
    tensorGroupBytes: {
      embedding: parseInteger(groups.embedding, 'manifest.tensor_group_bytes.embedding'),
      output: parseInteger(groups.output, 'manifest.tensor_group_bytes.output'),
      attention: parseInteger(groups.attention, 'manifest.tensor_group_bytes.attention'),
      feedForward: parseInteger(groups.feedForward, 'manifest.tensor_group_bytes.feed_forward'),
      experts: parseInteger(groups.experts, 'manifest.tensor_group_bytes.experts'),
      other: parseInteger(groups.other, 'manifest.tensor_group_bytes.other'),
    },
    contextTokensTrained: wire.contextTokensTrained ?? null,
    layerCount: wire.layerCount,
    attentionLayerCount: wire.attentionLayerCount,
    embeddingLength: wire.embeddingLength,
    headCount: wire.headCount,
    headCountKv: wire.headCountKv,
    keyLength: wire.keyLength,
    valueLength: wire.valueLength,
    slidingWindowTokens: wire.slidingWindowTokens ?? null,
    vocabularySize: wire.vocabularySize,
    expert: expert ? { count: expert.count, usedCount: expert.usedCount, feedForwardLength: expert.feedForwardLength ?? null } : null,
    recurrentStateBytesPerSequence: parseInteger(wire.recurrentStateBytesPerSequence, 'manifest.recurrent_state_bytes_per_sequence'),
    chatTemplate: wire.chatTemplate ?? null,
    isDemo: wire.isDemo,
  }
}
