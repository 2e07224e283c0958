import type { LoadedModel, LoadModelCommand, ModelManifest, NodeModelState, NodeProfile } from '@shoal/core'
import type { startMembership } from '@shoal/membership'
import type { startNodeServer } from '@shoal/protocol'
import type { HubDependencies } from './hub/download-model.ts'
import type { LoadPlan, ModelOnDisk } from './loading/load-ports.ts'

/** Everything of the outside world an agent uses, so that tests can give it another one. */
export interface AgentParts {
  /** What this machine is now; cheap enough for every question. */
  readonly profile: () => Promise<NodeProfile>
  readonly readManifest: (file: string) => Promise<ModelManifest>
  readonly hashFile: (file: string, signal: AbortSignal) => Promise<string>
  /** Path of the demo model, written if need be. */
  readonly writeDemo: () => Promise<string>
  /** Fits a model into the memory that is free now, beside those in `present`; rejects with MODEL_DOES_NOT_FIT. */
  readonly planLoad: (model: ModelOnDisk, command: LoadModelCommand, present: readonly NodeModelState[]) => Promise<LoadPlan>
  /** Compares the plan with what the load took, and remembers it. */
  readonly onLoaded: (model: ModelOnDisk, plan: LoadPlan, running: LoadedModel) => void
  readonly hub: Omit<HubDependencies, 'clock' | 'log'>
  readonly startServer: typeof startNodeServer
  readonly startMembership: typeof startMembership
}
