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
  ShoalError,
} from '@shoal/core'
import type { NodeRegistry } from '../nodes/node-registry.ts'
import { createDeploymentRunner, type DeploymentRunner } from './deployment-runner.ts'
import type { DeploymentStore } from './deployment-store.ts'
import { placementState } from './placement-facts.ts'
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

/** So long a restarted gateway waits for nodes that still serve a model before it loads it on others. */
const settleMs = 3000
const tickMs = 1000

/** Reconciles from now on: after every change of the nodes that matters for placement, and once a second. */
export function startController({ nodes, remembered, store, clock, log }: ControllerOptions): Controller {
  const runners = new Map<DeploymentId, DeploymentRunner>()
  const add = (deployment: Deployment, settledMs: number) => {
    const runner = createDeploymentRunner({ deployment, settledMs, nodes, clock, log })
    runners.set(deployment.deploymentId, runner)
    return runner
  }
  for (const deployment of remembered) add(deployment, clock.nowMs() + settleMs)
  let closed = false
  let cancelTick = () => {}

  const reconcile = () => {
    if (!closed) for (const runner of runners.values()) runner.reconcile()
  }
  const tick = () => {
    reconcile()
    cancelTick = clock.after(tickMs, tick)
  }
  /** Each change starts from what the one before left: between reading the list and changing it lies a write. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(change: () => Promise<T>): Promise<T> => {
    const result = turn.then(change)
    turn = result.catch(() => undefined)
    return result
  }
  /** What is not saved did not happen: everything stays as it was when this rejects. */
  const save = (id: DeploymentId, deployment: Deployment | null) => {
    const others = [...runners.values()].map((runner) => runner.deployment()).filter((each) => each.deploymentId !== id)
    return store.write(deployment === null ? others : [...others, deployment])
  }
  const seen = new Map<NodeId, string>()
  nodes.onChange((change) => {
    if (change.kind === 'lost') seen.delete(change.nodeId)
    else {
      const state = placementState(change.view)
      if (seen.get(change.view.nodeId) === state) return
      seen.set(change.view.nodeId, state)
    }
    reconcile()
  })
  const deploy = async ({ model, replicas, contextTokens = null, slots = null }: DeployRequest): Promise<DeploymentView> => {
    const resolved = resolveModel(model, nodes.view())
    const known = [...runners.values()].find((runner) => runner.deployment().modelId === resolved.modelId)
    const id = known?.deployment().deploymentId ?? deploymentId(`dep-${randomBytes(4).toString('hex')}`)
    const deployment: Deployment = { deploymentId: id, ...resolved, replicas, contextTokens, slots }
    await save(id, deployment)
    known?.change(deployment)
    const runner = known ?? add(deployment, clock.nowMs())
    log.info({ deploymentId: id, modelId: resolved.modelId, replicas }, 'deployment changed')
    runner.reconcile()
    return runner.view()
  }
  const remove = async (id: DeploymentId): Promise<DeploymentView> => {
    const runner = runners.get(id)
    if (runner === undefined) {
      throw new ShoalError({
        code: 'MODEL_UNKNOWN',
        message: `There is no deployment ${id.slice(0, 80)}.`,
        remedy: 'List them with: shoal ps',
      })
    }
    await save(id, null)
    runners.delete(id)
    const last = runner.view()
    runner.release()
    log.info({ deploymentId: id, modelId: last.deployment.modelId }, 'deployment removed')
    return last
  }
  tick()
  return {
    list: () => [...runners.values()].map((runner) => runner.view()),
    deploy: (request) => inTurn(() => deploy(request)),
    remove: (id) => inTurn(() => remove(id)),
    [Symbol.asyncDispose]() {
      closed = true
      cancelTick()
      for (const runner of runners.values()) runner.close()
      return Promise.resolve()
    },
  }
}
