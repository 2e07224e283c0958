import path from 'node:path'
import type { GpuProfile } from '@shoal/core'
import { estimateMemory, probeGpus } from '@shoal/engine'
import { readModelManifest, sha256File } from '@shoal/gguf'
import { probeNodeProfile, sampleMemory } from '@shoal/hardware'
import { startMembership } from '@shoal/membership'
import { catalogCandidates } from '@shoal/planner'
import { startNodeServer } from '@shoal/protocol'
import type { AgentOptions } from './agent.ts'
import type { AgentParts } from './agent-parts.ts'
import { hubAddressFrom } from './hub/hub.ts'
import { readRemoteManifest } from './hub/remote-manifest.ts'
import { ensureDemoModel } from './models/demo-model.ts'
import { createProfileSource } from './profile.ts'

/** The parts that touch this machine and the network for real. */
export function createDefaultParts({ directories, clock, log }: Pick<AgentOptions, 'directories' | 'clock' | 'log'>): AgentParts {
  const askGpus = () => probeGpus({ log })
  /** The list is asked for once: what can change is how much of their memory is free, see `ProfileSource.fresh`. */
  let known: Promise<readonly GpuProfile[]> | null = null
  const profile = createProfileSource({
    clock,
    sampleMemory: () => sampleMemory(),
    probeGpus: askGpus,
    probe: () =>
      probeNodeProfile({
        modelsDir: directories.models,
        probeGpus: () => {
          known ??= askGpus()
          return known
        },
        bandwidthCachePath: path.join(directories.cache, 'memory-bandwidth.json'),
        log,
      }),
  })
  return {
    profile: () => profile.current(),
    freshProfile: () => profile.fresh(),
    readManifest: readModelManifest,
    readRemoteManifest,
    hashFile: (file, signal) => sha256File(file, { signal }),
    writeDemo: () => ensureDemoModel(directories.cache),
    async estimateMemory(file, shape) {
      try {
        return { ...shape, ...(await estimateMemory({ path: file, ...shape, log })) }
      } catch (error) {
        log.info({ file, err: error }, 'the engine has no estimate for a model; the formulas decide')
        return null
      }
    },
    catalog: () => catalogCandidates(),
    hub: { address: hubAddressFrom(process.env), fetch: globalThis.fetch },
    startServer: startNodeServer,
    startMembership,
  }
}
