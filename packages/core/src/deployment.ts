import type { DeploymentId, ModelId, NodeId } from './ids.ts'

/** The wish "model M, n replicas", held by the gateway. */
export interface Deployment {
  readonly deploymentId: DeploymentId
  readonly modelId: ModelId
  /** Where an agent gets the file from. */
  readonly source: ModelSource
  readonly replicas: number
  readonly contextTokens: number | null
  readonly slots: number | null
}

/**
 * - local: an agent that has a file of this model id in its models folder (or at this absolute path)
 * - hub: `owner/repo` and file on the model hub, with what is known to check it
 * - demo: written by the agent itself
 */
export type ModelSource =
  | { readonly kind: 'local'; readonly path: string | null }
  | {
      readonly kind: 'hub'
      readonly repo: string
      readonly file: string
      readonly revision: string | null
      readonly bytes: number | null
      readonly sha256: string | null
    }
  | { readonly kind: 'demo' }

/** The plan that fulfils a deployment. */
export type Placement = {
  readonly kind: 'replica'
  readonly deploymentId: DeploymentId
  readonly modelId: ModelId
  readonly nodeIds: readonly NodeId[]
}
