import type { Deployment } from './deployment.ts'
import type { NodeId } from './ids.ts'
import type { ModelStatus, NodeView } from './node-state.ts'

/** JSON bodies of the gateway's own routes under `/shoal/v1`; the CLI and the dashboard read them. */

/** `GET /shoal/v1/nodes` */
export interface NodesResponse {
  readonly nodes: readonly NodeView[]
}

export interface ReplicaView {
  readonly nodeId: NodeId
  readonly hostname: string
  readonly status: ModelStatus | 'waiting'
  /** 0 to 1, or null when there is nothing to measure. */
  readonly progress: number | null
  readonly error: string | null
}

export interface DeploymentView {
  readonly deployment: Deployment
  readonly replicas: readonly ReplicaView[]
  readonly readyReplicas: number
  /** Why fewer replicas than wished are placed; null when all are. */
  readonly reason: string | null
  /** What of the wish is met otherwise than it was spoken; null when nothing is. It is no failure. */
  readonly note: string | null
}

/** `GET /shoal/v1/deployments` */
export interface DeploymentsResponse {
  readonly deployments: readonly DeploymentView[]
}

/** `POST /shoal/v1/deployments`; answers 202 with a DeploymentView. `DELETE /shoal/v1/deployments/:id` takes one back. */
export interface DeployRequest {
  /** Catalog id, `hf:owner/repo:QUANT`, or the id or absolute path of a file a node has. */
  readonly model: string
  readonly replicas: number
  readonly contextTokens?: number | null
  readonly slots?: number | null
}
