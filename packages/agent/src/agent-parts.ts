import type { ModelManifest, NodeProfile } from '@shoal/core'
import type { startMembership } from '@shoal/membership'
import type { Candidate, LoadShape, MemoryEstimate } from '@shoal/planner'
import type { startNodeServer } from '@shoal/protocol'
import type { HubDependencies } from './hub/download-model.ts'
import type { readRemoteManifest } from './hub/remote-manifest.ts'

/** Everything of the outside world an agent uses, so that tests can give it another one. */
export interface AgentParts {
  /** What this machine is now; cheap enough for every question. */
  readonly profile: () => Promise<NodeProfile>
  readonly readManifest: (file: string) => Promise<ModelManifest>
  /** The same for one that is still at the hub. */
  readonly readRemoteManifest: typeof readRemoteManifest
  readonly hashFile: (file: string, signal: AbortSignal) => Promise<string>
  /** Path of the demo model, written if need be. */
  readonly writeDemo: () => Promise<string>
  /** The same, with the memory of this very moment, VRAM included. */
  readonly freshProfile: () => Promise<NodeProfile>
  /** The engine's own estimate for a file; null = it has none. */
  readonly estimateMemory: (file: string, shape: LoadShape & { readonly gpuLayers: number }) => Promise<MemoryEstimate | null>
  /** Models that could be fetched, with what is known of them. */
  readonly catalog: () => readonly Candidate[]
  readonly hub: Omit<HubDependencies, 'clock' | 'log'>
  readonly startServer: typeof startNodeServer
  readonly startMembership: typeof startMembership
}
