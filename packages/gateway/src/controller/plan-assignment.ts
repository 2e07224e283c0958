import type { ClusterView, Deployment, NodeId, NodeView } from '@shoal/core'

export interface Assignment {
  readonly nodeIds: readonly NodeId[]
  /** Why fewer nodes than replicas are assigned; null when all are. */
  readonly reason: string | null
}

export interface AssignmentFacts {
  readonly deployment: Deployment
  readonly view: ClusterView
  /** Nodes that hold a replica now or are expected back, in order of assignment. */
  readonly kept: readonly NodeId[]
  /** Nodes where the last load failed. */
  readonly failed: ReadonlySet<NodeId>
  /** Assign only nodes that have the model loaded or on its way. */
  readonly onlyHolders: boolean
}

/**
 * Which nodes hold the replicas of a deployment: those that hold them already stay, missing ones go where the model is loaded, then where its
 * file lies, then where most memory is free; where a load failed comes last. With fewer replicas wished than held, the newest go first, those
 * that do not serve before those that do.
 */
export function planAssignment({ deployment, view, kept, failed, onlyHolders }: AssignmentFacts): Assignment {
  const { replicas } = deployment
  if (kept.length >= replicas) return { nodeIds: shrink(kept, readyNodes(deployment, view), replicas), reason: null }
  const candidates = view.nodes.filter(
    (node) => !kept.includes(node.nodeId) && canHold(deployment, node) && (!onlyHolders || rank(deployment, node, failed) >= 2),
  )
  const ranked = candidates.toSorted((a, b) => rank(deployment, b, failed) - rank(deployment, a, failed) || freeBytes(b) - freeBytes(a))
  const nodeIds = [...kept, ...ranked.slice(0, replicas - kept.length).map(({ nodeId }) => nodeId)]
  return { nodeIds, reason: nodeIds.length >= replicas ? null : whyFewer(deployment, view, nodeIds.length) }
}

function readyNodes(deployment: Deployment, view: ClusterView): ReadonlySet<NodeId> {
  return new Set(view.nodes.filter((node) => statusOf(deployment, node) === 'ready').map(({ nodeId }) => nodeId))
}

function shrink(kept: readonly NodeId[], ready: ReadonlySet<NodeId>, replicas: number): readonly NodeId[] {
  const order = [...kept.filter((id) => ready.has(id)), ...kept.filter((id) => !ready.has(id))]
  const chosen = new Set(order.slice(0, replicas))
  return kept.filter((id) => chosen.has(id))
}

function canHold(deployment: Deployment, node: NodeView): boolean {
  if (node.state.draining || node.liveness !== 'connected') return false
  if (deployment.source.kind !== 'local' || deployment.source.path !== null) return true
  return hasFile(deployment, node) || statusOf(deployment, node) !== null
}

function rank(deployment: Deployment, node: NodeView, failed: ReadonlySet<NodeId>): number {
  if (failed.has(node.nodeId)) return -1
  const status = statusOf(deployment, node)
  if (status === 'ready') return 3
  if (status !== null && status !== 'failed') return 2
  return hasFile(deployment, node) ? 1 : 0
}

function statusOf(deployment: Deployment, node: NodeView) {
  return node.state.models.find(({ modelId }) => modelId === deployment.modelId)?.status ?? null
}

function hasFile(deployment: Deployment, node: NodeView): boolean {
  return node.description.localModels.some(({ modelId }) => modelId === deployment.modelId)
}

function freeBytes(node: NodeView): number {
  return node.description.profile.memory.availableBytes
}

function whyFewer(deployment: Deployment, view: ClusterView, assigned: number): string {
  const count = view.nodes.length
  if (count === 0) return 'No node is connected.'
  const able = view.nodes.filter((node) => canHold(deployment, node)).length
  if (able < count && deployment.source.kind === 'local') return `Only ${able} of ${count} nodes have a file of this model.`
  return `Only ${assigned} of ${deployment.replicas} replicas can be placed on ${count} node${count === 1 ? '' : 's'}.`
}
