import type { LocalModel, ModelId, NodeId, NodeProfile, NodeView } from '@shoal/core'

/** What placement needs of a node. */
export interface PlacementNode {
  readonly nodeId: NodeId
  readonly hostname: string
  readonly profile: NodeProfile
  readonly draining: boolean
  readonly suspect: boolean
  /** Models it serves or is getting; those that failed are none. */
  readonly models: readonly PlacedModel[]
  /** Files in its models folder. */
  readonly localModels: readonly LocalModel[]
}

export interface PlacedModel {
  readonly modelId: ModelId
  readonly isDemo: boolean
  readonly isReady: boolean
  /** RAM and VRAM it takes, measured or else planned; null = neither is known. */
  readonly bytes: number | null
  /** Of them the weights it reads from mapped pages of its file: an operating system calls such memory available. */
  readonly mappedBytes: number
}

/** The gateway's view of a node -> what placement needs. */
export function placementNode({ nodeId, liveness, description, state }: NodeView): PlacementNode {
  return {
    nodeId,
    hostname: description.profile.hostname,
    profile: description.profile,
    draining: state.draining,
    suspect: liveness === 'suspect',
    models: state.models
      .filter((model) => model.status !== 'failed')
      .map(({ modelId, isDemo, status, facts, plannedBytes }) => {
        const measured = facts === null || facts.residentBytes === null ? null : facts.residentBytes + (facts.vramBytes ?? 0)
        const file = description.localModels.find((local) => local.modelId === modelId)?.manifest.fileBytes ?? 0
        const mappedBytes = facts?.gpuLayers === 0 ? Math.min(file, facts.residentBytes ?? file) : 0
        const isReady = status === 'ready' || status === 'restarting'
        return { modelId, isDemo, isReady, bytes: measured ?? plannedBytes, mappedBytes }
      }),
    localModels: description.localModels,
  }
}

/**
 * RAM to add to what the profile says is available. What is loaded is missing from that figure already, but for its mapped weights: those of
 * models that stay are taken off, or they would be paged in and out. A demo gives its share back when a real model comes. What is still
 * on its way will take its share. VRAM is not told apart here: the agent's own check on loading has the last word.
 */
export function freedBytesOf(node: PlacementNode): number {
  let freed = 0
  for (const { isDemo, isReady, bytes, mappedBytes } of node.models) {
    if (isDemo) freed += isReady ? (bytes ?? 0) - mappedBytes : 0
    else freed -= isReady ? mappedBytes : (bytes ?? 0)
  }
  return freed
}
