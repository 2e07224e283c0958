import path from 'node:path'
import { ShoalError } from '@shoal/core'
import { readModelManifest, sha256File } from '@shoal/gguf'
import { probeNodeProfile, sampleMemory } from '@shoal/hardware'
import { startMembership } from '@shoal/membership'
import { startNodeServer } from '@shoal/protocol'
import type { AgentOptions } from './agent.ts'
import type { AgentParts } from './agent-parts.ts'
import { hubAddressFrom } from './hub/hub.ts'
import { ensureDemoModel } from './models/demo-model.ts'
import { createProfileSource } from './profile.ts'

/** The parts that touch this machine and the network for real. */
export function createDefaultParts(options: AgentOptions): AgentParts {
  const { directories, clock, log } = options
  const profile = createProfileSource({
    clock,
    sampleMemory: () => sampleMemory(),
    probe: () =>
      probeNodeProfile({
        modelsDir: directories.models,
        probeGpus: async () => [],
        bandwidthCachePath: path.join(directories.cache, 'memory-bandwidth.json'),
        log,
      }),
  })
  return {
    profile: () => profile.current(),
    readManifest: readModelManifest,
    hashFile: (file, signal) => sha256File(file, { signal }),
    writeDemo: () => ensureDemoModel(directories.cache),
    async planLoad({ manifest }, command) {
      const contextTokens = command.contextTokens ?? Math.min(8192, manifest.contextTokensTrained ?? 8192)
      const slots = command.slots ?? 4
      const kvBytes =
        2 * (manifest.keyLength + manifest.valueLength) * manifest.headCountKv * manifest.attentionLayerCount * contextTokens * slots
      const plannedBytes = manifest.fileBytes + kvBytes
      const { availableBytes } = await sampleMemory()
      if (plannedBytes > availableBytes)
        throw new ShoalError({ code: 'MODEL_DOES_NOT_FIT', message: `${plannedBytes} > ${availableBytes}` })
      return { options: { contextTokens, slots, threads: options.threads ?? null, gpuLayers: null }, plannedBytes }
    },
    onLoaded: () => undefined,
    hub: { address: hubAddressFrom(process.env), fetch: globalThis.fetch },
    startServer: startNodeServer,
    startMembership,
  }
}
