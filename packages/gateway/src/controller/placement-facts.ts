import type { ClusterView, ModelId, ModelSource, NodeView } from '@shoal/core'
import { catalogEntryOf, dimensionsOfEntry, dimensionsOfManifest, type ModelDimensions } from '@shoal/planner'

/** What placement looks at of a node's report; slots in use change with every request and are none of it. */
export function placementState({ liveness, state }: NodeView): string {
  return [liveness, state.incarnation, state.draining, ...state.models.map(({ modelId, status }) => `${modelId} ${status}`)].join('\n')
}

/** A path is tried on every node; a bare name only where its file lies. */
export function needsFile(source: ModelSource): boolean {
  return source.kind === 'local' && source.path === null
}

/** From a node's file, else from the catalog; null = nothing is known before a node has the file. */
export function dimensionsOf(id: ModelId, view: ClusterView): ModelDimensions | null {
  for (const { description } of view.nodes) {
    const local = description.localModels.find(({ modelId }) => modelId === id)
    if (local !== undefined) return dimensionsOfManifest(local.manifest)
  }
  const entry = catalogEntryOf({ modelId: id, path: id, sha256: null })
  return entry === null ? null : dimensionsOfEntry(entry)
}
