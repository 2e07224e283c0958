import { type ClusterView, type LocalModel, type ModelId, type ModelSource, modelId, ShoalError } from '@shoal/core'
import { resolveModelName } from '@shoal/planner'
import { chooseForFleet } from './choose-for-fleet.ts'

export interface ResolvedModel {
  readonly modelId: ModelId
  readonly source: ModelSource
}

/**
 * What a person means by a model's name, given the files the nodes have: a file there (by id or path) comes before what the name would mean
 * elsewhere, so that it keeps the id its node knows it by. `auto` is the best common model for the nodes there are.
 * Throws INVALID_REQUEST for what is no name, MODEL_UNKNOWN for one nobody has.
 */
export function resolveModel(text: string, view: ClusterView): ResolvedModel {
  const name = text.trim()
  if (name === 'auto') return chooseForFleet(view)
  const files = view.nodes.flatMap(({ description }) => description.localModels)
  const byPath = files.find((file) => file.path === name)
  if (byPath !== undefined) return { modelId: modelId(byPath.modelId), source: { kind: 'local', path: null } }
  const resolved = resolveModelName(name)
  const byId = findById(files, name) ?? findById(files, resolved.modelId)
  if (resolved.kind !== 'name') return { modelId: byId === undefined ? resolved.modelId : modelId(byId.modelId), source: resolved.source }
  if (byId !== undefined) return { modelId: modelId(byId.modelId), source: resolved.source }
  const known = [...new Set(files.map((file) => file.modelId))].sort().slice(0, 10)
  throw new ShoalError({
    code: 'MODEL_UNKNOWN',
    message: `No node has a file for "${name.slice(0, 200)}", and the catalog has no such model.`,
    param: 'model',
    remedy: known.length === 0 ? 'Name a model at the hub: hf:owner/repo:QUANT' : `The nodes have: ${known.join(', ')}.`,
  })
}

function findById(files: readonly LocalModel[], id: string): LocalModel | undefined {
  const wanted = id.toLowerCase()
  return files.find((file) => file.modelId.toLowerCase() === wanted)
}
