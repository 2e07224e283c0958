import type { AgentOptions } from './agent.ts'
import type { AgentParts } from './agent-parts.ts'
import { createDefaultParts } from './default-parts.ts'
import { openCorrections } from './loading/corrections.ts'
import { openModelLibrary } from './models/library.ts'
import { createPlanning, type LocalPlan, type LocalPlanQuery } from './planning.ts'

export type PlanLocalOptions = LocalPlanQuery & Pick<AgentOptions, 'directories' | 'log' | 'clock'>

/**
 * What this machine could serve, every candidate explained, without an agent: what an agent on it would choose from. Models that agents
 * here have loaded count as memory in use. Rejects with MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_UNKNOWN or DOWNLOAD_FAILED for `model`.
 */
export async function planLocal(options: PlanLocalOptions, overrides: Partial<AgentParts> = {}): Promise<LocalPlan> {
  const { directories, log, clock } = options
  const parts = { ...createDefaultParts(options), ...overrides }
  const library = await openModelLibrary({
    modelsDirectory: directories.models,
    cacheDirectory: directories.cache,
    log,
    readManifest: parts.readManifest,
    hashFile: parts.hashFile,
    invalidFileLevel: 'debug',
  })
  const planning = createPlanning({
    parts,
    hub: { ...parts.hub, clock, log },
    library,
    corrections: await openCorrections(directories.state, log),
    threads: null,
    loaded: () => [],
  })
  return await planning.planLocal(options)
}
