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
        return { modelId, isDemo, isReady: status === 'ready' || status === 'restarting', bytes: measured ?? plannedBytes }
      }),
    localModels: description.localModels,
  }
}

/**
 * RAM to add to what the profile says is available. The profile counts what is loaded: a demo gives its share back when a real model comes.
 * What is still on its way is not in the profile yet and will take its share. VRAM is not told apart here: the agent's own check
 * on loading has the last word.
 */
export function freedBytesOf(node: PlacementNode): number {
  let freed = 0
  for (const model of node.models) {
    if (model.isDemo && model.isReady) freed += model.bytes ?? 0
    if (!model.isDemo && !model.isReady) freed -= model.bytes ?? 0
  }
  return freed
}
