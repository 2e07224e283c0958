import { type ClusterView, type ModelId, ShoalError } from '@shoal/core'
import { catalogCandidates, type PlacementNode, placementNode, planFleet, rankOfModelId } from '@shoal/planner'
import type { ResolvedModel } from './resolve-model.ts'

/**
 * The one model that does most for the nodes there are (see `planFleet`). Files that nodes have, and models they serve, come before any
 * download: they are what their owners put there, and a factory has no hub. Throws NO_NODE when there is no node, MODEL_DOES_NOT_FIT
 * when nothing fits any.
 */
export function chooseForFleet(view: ClusterView): ResolvedModel {
  if (view.nodes.length === 0) {
    throw new ShoalError({ code: 'NO_NODE', message: 'There is no node to choose a model for.', remedy: 'Start an agent: shoal agent' })
  }
  const nodes = view.nodes.map(placementNode).map((node) => ({
    ...node,
    localModels: node.localModels.filter(({ manifest }) => !manifest.isDemo),
  }))
  const [fromFiles] = planFleet({ nodes, fetchable: [] }).groups
  if (fromFiles !== undefined) return fromFiles
  const served = mostServed(nodes)
  if (served !== null) return { modelId: served, source: { kind: 'local', path: null } }
  const [fromCatalog] = planFleet({ nodes, fetchable: catalogCandidates() }).groups
  if (fromCatalog !== undefined) return fromCatalog
  throw new ShoalError({
    code: 'MODEL_DOES_NOT_FIT',
    message: 'No model of the catalog and no file of the nodes fits any of them.',
    remedy: 'See why on each machine with: shoal plan',
  })
}

/** Of the real models that run, the one on most nodes; of equals the better one. */
function mostServed(nodes: readonly PlacementNode[]): ModelId | null {
  const counts = new Map<ModelId, number>()
  for (const { models } of nodes) {
    for (const { modelId, isDemo } of models) if (!isDemo) counts.set(modelId, (counts.get(modelId) ?? 0) + 1)
  }
  const rank = (id: ModelId) => rankOfModelId(id) ?? Number.NEGATIVE_INFINITY
  const [best] = [...counts].sort(([a, m], [b, n]) => n - m || rank(b) - rank(a) || (a < b ? -1 : 1))
  return best?.[0] ?? null
}
