import type { ModelId, NodeId } from './ids.ts'
import type { LoadedFacts } from './inference.ts'
import type { LocalModel } from './model-manifest.ts'
import type { NodeProfile } from './node-profile.ts'

/**
 * - downloading, loading: on the way; `progress` is 0 to 1
 * - ready: serves
 * - restarting: the engine child died or hung and is being replaced
 * - failed: given up; `error` says why
 */
export type ModelStatus = 'downloading' | 'loading' | 'ready' | 'restarting' | 'failed'

export interface NodeModelState {
  readonly modelId: ModelId
  readonly status: ModelStatus
  /** 0 to 1 while downloading or loading, else null. */
  readonly progress: number | null
  readonly error: string | null
  readonly isDemo: boolean
  readonly sha256: string | null
  readonly slotsTotal: number
  readonly slotsUsed: number
  readonly contextTokens: number
  /** Measured decode speed of one stream, tokens per second; null = nothing was measured yet. */
  readonly tokensPerSecond: number | null
  /** What the planner expected this load to take. */
  readonly plannedBytes: number | null
  readonly facts: LoadedFacts | null
}

/** Snapshot of a node that its agent reports; a higher version replaces a lower one. */
export interface NodeState {
  readonly nodeId: NodeId
  /** Random per start of the agent: a restarted agent starts again at version 1. */
  readonly incarnation: string
  readonly version: number
  readonly draining: boolean
  readonly models: readonly NodeModelState[]
}

/** Answer to Describe: who the node is, what it can do and what lies in its models folder. */
export interface NodeDescription {
  readonly nodeId: NodeId
  readonly protocolVersion: number
  readonly shoalVersion: string
  readonly profile: NodeProfile
  readonly localModels: readonly LocalModel[]
}

/**
 * - connected: the state stream is alive
 * - suspect: the stream is silent for longer than expected; no new work
 */
export type NodeLiveness = 'connected' | 'suspect'

export interface NodeView {
  readonly nodeId: NodeId
  /** `host:port` that answered. */
  readonly address: string
  readonly liveness: NodeLiveness
  readonly description: NodeDescription
  readonly state: NodeState
}

/** Everything the gateway knows of the cluster, read-only. */
export interface ClusterView {
  readonly nodes: readonly NodeView[]
}
