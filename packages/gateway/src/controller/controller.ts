import { randomBytes } from 'node:crypto'
import {
  type Clock,
  type Deployment,
  type DeploymentId,
  type DeploymentView,
  type DeployRequest,
  deploymentId,
  type Log,
  type NodeId,
  type NodeModelState,
  type ReplicaView,
  ShoalError,
} from '@shoal/core'
import type { NodeRegistry } from '../nodes/node-registry.ts'
import type { DeploymentStore } from './deployment-store.ts'
import { planAssignment } from './plan-assignment.ts'
import { createReplicaLoad, type ReplicaLoad } from './replica-load.ts'
import { resolveModel } from './resolve-model.ts'

/** Holds the deployments and makes the nodes fulfil them. */
export interface Controller extends AsyncDisposable {
  list(): readonly DeploymentView[]
  /** A second wish for the same model replaces the first. Rejects with INVALID_REQUEST, MODEL_UNKNOWN or DISK_FULL. */
  deploy(request: DeployRequest): Promise<DeploymentView>
  /** Rejects with MODEL_UNKNOWN when there is no such deployment. */
  remove(id: DeploymentId): Promise<DeploymentView>
}

export interface ControllerOptions {
  readonly nodes: Pick<NodeRegistry, 'view' | 'clientOf' | 'onChange'>
  /** What the store remembered. */
  readonly remembered: readonly Deployment[]
  readonly store: Pick<DeploymentStore, 'write'>
  readonly clock: Clock
  readonly log: Log
}

interface Replica {
  readonly load: ReplicaLoad
  hostname: string
  /** When the node went out of the view; null while it is there. */
  goneSinceMs: number | null
}

interface Entry {
  deployment: Deployment
  /** Assigned nodes, in order of assignment. */
  readonly replicas: Map<NodeId, Replica>
  /** Of every node that was ever assigned: what failed there stays known when it is assigned again. */
  readonly loads: Map<NodeId, ReplicaLoad>
  /** Until then only nodes that have the model get a replica. */
  readonly settledMs: number
  reason: string | null
}

/** So long a lost node is expected back before its replica goes elsewhere: a restart takes less than a load. */
const graceMs = 30_000
/** So long a restarted gateway waits for nodes that still serve a model before it loads it on others. */
const settleMs = 3000
const tickMs = 1000

/** Reconciles from now on: after every change of the view and once a second. */
export function startController({ nodes, remembered, store, clock, log }: ControllerOptions): Controller {
  const entries = new Map<DeploymentId, Entry>()
  for (const deployment of remembered) entries.set(deployment.deploymentId, newEntry(deployment, clock.nowMs() + settleMs))
  let closed = false
  let cancelTick = () => {}

  const reportedBy = (id: NodeId, { deployment }: Entry): NodeModelState | null =>
    nodes
      .view()
      .nodes.find(({ nodeId }) => nodeId === id)
      ?.state.models.find(({ modelId }) => modelId === deployment.modelId) ?? null
  const noteLosses = ({ replicas }: Entry) => {
    const present = new Map(nodes.view().nodes.map(({ nodeId, description }) => [nodeId, description.profile.hostname]))
    for (const [id, replica] of replicas) {
      const hostname = present.get(id)
      if (hostname === undefined) replica.goneSinceMs ??= clock.nowMs()
      else Object.assign(replica, { goneSinceMs: null, hostname })
    }
  }
  const assign = (entry: Entry) => {
    const { deployment, replicas, loads } = entry
    const failed = new Set([...loads.values()].filter(({ error }) => error !== null).map(({ nodeId }) => nodeId))
    const isExpected = ({ goneSinceMs }: Replica) => goneSinceMs === null || clock.nowMs() - goneSinceMs < graceMs
    // A node that failed to load gives its place up when another can take it, and keeps it when none can.
    const kept = [...replicas].filter(([id, replica]) => isExpected(replica) && !failed.has(id)).map(([id]) => id)
    const isSettled = clock.nowMs() >= entry.settledMs
    const { nodeIds, reason } = planAssignment({ deployment, view: nodes.view(), kept, failed, onlyHolders: !isSettled })
    entry.reason = reason
    for (const [id, { load }] of replicas) {
      if (nodeIds.includes(id)) continue
      replicas.delete(id)
      unload(entry, load)
    }
    for (const id of nodeIds) if (!replicas.has(id)) replicas.set(id, newReplica(entry, id))
  }
  const newReplica = (entry: Entry, id: NodeId): Replica => {
    const hostname = nodes.view().nodes.find(({ nodeId }) => nodeId === id)?.description.profile.hostname ?? id
    let load = entry.loads.get(id)
    if (load === undefined) {
      load = createReplicaLoad({ nodeId: id, deployment: () => entry.deployment, clock, log, onChange: reconcile })
      entry.loads.set(id, load)
    }
    return { load, hostname, goneSinceMs: null }
  }
  const unload = (entry: Entry, load: ReplicaLoad) => {
    const { nodeId } = load
    const client = nodes.clientOf(nodeId)
    const isThere = load.isLoading || reportedBy(nodeId, entry) !== null
    load.abandon()
    if (client === null || !isThere) return
    const { modelId } = entry.deployment
    client.unloadModel(modelId, new AbortController().signal).catch((thrown: unknown) => {
      const error = ShoalError.from(thrown)
      if (error.code !== 'MODEL_UNKNOWN') log.warn({ nodeId, modelId, reason: error.message }, 'a model could not be unloaded')
    })
  }
  const reconcile = (): void => {
    if (closed) return
    for (const entry of entries.values()) {
      noteLosses(entry)
      assign(entry)
      for (const [id, { load }] of entry.replicas) {
        const client = nodes.clientOf(id)
        if (client === null) load.abandon()
        else load.ensure(client, reportedBy(id, entry))
      }
    }
  }
  const tick = () => {
    reconcile()
    cancelTick = clock.after(tickMs, tick)
  }
  const save = () => store.write([...entries.values()].map(({ deployment }) => deployment))
  const render = (entry: Entry): DeploymentView => {
    const replicas = [...entry.replicas].map(([id, replica]) => renderReplica(replica, reportedBy(id, entry)))
    const readyReplicas = replicas.filter(({ status }) => status === 'ready').length
    return { deployment: entry.deployment, replicas, readyReplicas, reason: entry.reason }
  }
  nodes.onChange(reconcile)
  tick()
  return {
    list: () => [...entries.values()].map(render),
    async deploy({ model, replicas, contextTokens = null, slots = null }) {
      const resolved = resolveModel(model, nodes.view())
      const known = [...entries.values()].find(({ deployment }) => deployment.modelId === resolved.modelId)
      const id = known?.deployment.deploymentId ?? deploymentId(`dep-${randomBytes(4).toString('hex')}`)
      const deployment: Deployment = { deploymentId: id, ...resolved, replicas, contextTokens, slots }
      const entry = known ?? newEntry(deployment, clock.nowMs())
      const isOtherLoad = known !== undefined && (known.deployment.contextTokens !== contextTokens || known.deployment.slots !== slots)
      entry.deployment = deployment
      // A repeated wish is a person's retry: what failed before is tried at once.
      for (const [nodeId, load] of entry.loads) if (load.error !== null) entry.loads.delete(nodeId)
      for (const [nodeId, { load }] of entry.replicas) {
        if (isOtherLoad) unload(entry, load)
        if (!entry.loads.has(nodeId)) entry.replicas.delete(nodeId)
      }
      entries.set(id, entry)
      await save()
      reconcile()
      return render(entry)
    },
    async remove(id) {
      const entry = entries.get(id)
      if (entry === undefined) {
        throw new ShoalError({
          code: 'MODEL_UNKNOWN',
          message: `There is no deployment ${id.slice(0, 80)}.`,
          remedy: 'List them with: shoal ps',
        })
      }
      entries.delete(id)
      await save()
      const last = render(entry)
      for (const { load } of entry.replicas.values()) unload(entry, load)
      return last
    },
    [Symbol.asyncDispose]() {
      closed = true
      cancelTick()
      for (const { replicas } of entries.values()) for (const { load } of replicas.values()) load.abandon()
      return Promise.resolve()
    },
  }
}

function newEntry(deployment: Deployment, settledMs: number): Entry {
  return { deployment, replicas: new Map(), loads: new Map(), settledMs, reason: null }
}

function renderReplica({ load, hostname, goneSinceMs }: Replica, reported: NodeModelState | null): ReplicaView {
  const { nodeId } = load
  if (goneSinceMs !== null) return { nodeId, hostname, status: 'waiting', progress: null, error: 'The node is not connected.' }
  if (reported !== null && reported.status !== 'failed') {
    return { nodeId, hostname, status: reported.status, progress: reported.progress, error: reported.error }
  }
  const error = load.error ?? reported?.error ?? null
  return { nodeId, hostname, status: error === null || load.isLoading ? 'waiting' : 'failed', progress: null, error }
}
