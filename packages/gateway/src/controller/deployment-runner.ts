import {
  type Clock,
  type Deployment,
  type DeploymentView,
  type Log,
  type NodeId,
  type NodeModelState,
  type ReplicaView,
  ShoalError,
} from '@shoal/core'
import { placementNode, planReplicas } from '@shoal/planner'
import type { NodeRegistry } from '../nodes/node-registry.ts'
import { dimensionsOf, needsFile } from './placement-facts.ts'
import { createReplicaLoad, type ReplicaLoad } from './replica-load.ts'
import { explainCut } from './replica-shape.ts'

/** Makes the nodes fulfil one deployment. */
export interface DeploymentRunner {
  deployment(): Deployment
  /** Compares the wish with the nodes' reports and starts what is missing. */
  reconcile(): void
  /** A new wish for the same model; what failed before is tried again at once. */
  change(deployment: Deployment): void
  /** Unloads every replica; does nothing afterwards. */
  release(): void
  /** Does nothing afterwards; what is loaded stays. */
  close(): void
  view(): DeploymentView
}

export interface DeploymentRunnerOptions {
  readonly deployment: Deployment
  /** Until then only nodes that have the model get a replica. */
  readonly settledMs: number
  readonly nodes: Pick<NodeRegistry, 'view' | 'clientOf'>
  readonly clock: Clock
  readonly log: Log
}

interface Replica {
  readonly load: ReplicaLoad
  hostname: string
  /** When the node went out of the view; null while it is there. */
  goneSinceMs: number | null
}

/** So long a lost node is expected back before its replica goes elsewhere: a restart takes less than a load. */
const graceMs = 30_000

export function createDeploymentRunner(options: DeploymentRunnerOptions): DeploymentRunner {
  const { settledMs, nodes, clock, log } = options
  let { deployment } = options
  let reason: string | null = null
  /** A load that ends after the release must not start another. */
  let closed = false
  /** Assigned nodes, in order of assignment. */
  const replicas = new Map<NodeId, Replica>()
  /** Of every node that was ever assigned: what failed there stays known when it is assigned again. */
  const loads = new Map<NodeId, ReplicaLoad>()

  const contextTokensTrained = () => dimensionsOf(deployment.modelId, nodes.view())?.contextTokensTrained ?? null
  const shared = { deployment: () => deployment, contextTokensTrained, clock, log, onChange: () => reconcile() }
  const find = (id: NodeId) => nodes.view().nodes.find(({ nodeId }) => nodeId === id)
  const reported = (id: NodeId): NodeModelState | null =>
    find(id)?.state.models.find(({ modelId }) => modelId === deployment.modelId) ?? null
  const noteLosses = () => {
    for (const [id, replica] of replicas) {
      const node = find(id)
      if (node === undefined) replica.goneSinceMs ??= clock.nowMs()
      else Object.assign(replica, { goneSinceMs: null, hostname: node.description.profile.hostname })
    }
  }
  const plan = () => {
    const failed = new Set([...loads.values()].filter((load) => load.isResting()).map(({ nodeId }) => nodeId))
    const isExpected = ({ goneSinceMs }: Replica) => goneSinceMs === null || clock.nowMs() - goneSinceMs < graceMs
    return planReplicas({
      nodes: nodes.view().nodes.map(placementNode),
      modelId: deployment.modelId,
      dimensions: dimensionsOf(deployment.modelId, nodes.view()),
      replicas: deployment.replicas,
      // A node that failed to load gives its place up when another can take it, and is tried again after its back-off.
      current: [...replicas].filter(([id, replica]) => isExpected(replica) && !failed.has(id)).map(([id]) => id),
      failedNodeIds: failed,
      only: clock.nowMs() < settledMs ? 'loaded' : needsFile(deployment.source) ? 'file' : null,
      contextTokens: deployment.contextTokens,
      slots: deployment.slots,
    })
  }
  const assign = () => {
    const { nodeIds, leaving, reason: shortage } = plan()
    reason = shortage
    for (const [id, { load }] of replicas) {
      if (nodeIds.includes(id)) continue
      replicas.delete(id)
      if (leaving.includes(id)) load.abandon()
      else unload(load)
    }
    for (const id of nodeIds) {
      if (replicas.has(id)) continue
      const load = loads.get(id) ?? createReplicaLoad({ ...shared, nodeId: id })
      loads.set(id, load)
      replicas.set(id, { load, hostname: find(id)?.description.profile.hostname ?? id, goneSinceMs: null })
    }
  }
  const unload = (load: ReplicaLoad) => {
    const { nodeId } = load
    const { modelId } = deployment
    const client = nodes.clientOf(nodeId)
    const isThere = load.isLoading() || reported(nodeId) !== null
    load.abandon()
    if (client === null || !isThere) return
    client.unloadModel(modelId, new AbortController().signal).catch((thrown: unknown) => {
      const error = ShoalError.from(thrown)
      if (error.code !== 'MODEL_UNKNOWN') log.warn({ nodeId, modelId, reason: error.message }, 'a model could not be unloaded')
    })
  }
  const reconcile = () => {
    if (closed) return
    noteLosses()
    assign()
    for (const [id, { load }] of replicas) {
      const client = nodes.clientOf(id)
      if (client === null) load.abandon()
      else load.ensure(client, reported(id))
    }
  }
  return {
    deployment: () => deployment,
    reconcile,
    change(next) {
      const isOtherShape = next.contextTokens !== deployment.contextTokens || next.slots !== deployment.slots
      deployment = next
      for (const load of loads.values()) load.renew(isOtherShape)
    },
    release() {
      closed = true
      for (const { load } of replicas.values()) unload(load)
      replicas.clear()
    },
    close() {
      closed = true
      for (const load of loads.values()) load.abandon()
    },
    view() {
      const views = [...replicas].map(([id, replica]) => renderReplica(replica, reported(id)))
      const readyReplicas = views.filter(({ status }) => status === 'ready').length
      return { deployment, replicas: views, readyReplicas, reason, note: explainCut(deployment, contextTokensTrained()) }
    },
  }
}

function renderReplica({ load, hostname, goneSinceMs }: Replica, reported: NodeModelState | null): ReplicaView {
  const { nodeId } = load
  if (goneSinceMs !== null) return { nodeId, hostname, status: 'waiting', progress: null, error: 'The node is not connected.' }
  const isOtherShape = reported?.status === 'ready' && !load.isAsWished(reported)
  if (reported !== null && reported.status !== 'failed' && !isOtherShape) {
    return { nodeId, hostname, status: reported.status, progress: reported.progress, error: reported.error }
  }
  const error = load.error() ?? reported?.error ?? null
  return { nodeId, hostname, status: error === null || load.isLoading() ? 'waiting' : 'failed', progress: null, error }
}
