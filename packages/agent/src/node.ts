import { randomBytes } from 'node:crypto'
import type { LoadModelCommand, NodeApi } from '@shoal/core'
import { shoalVersion } from '@shoal/runtime'
import type { AgentOptions } from './agent.ts'
import type { AgentParts } from './agent-parts.ts'
import type { HubDependencies } from './hub/download-model.ts'
import { createModelFetcher, type ModelFetcher } from './hub/model-fetcher.ts'
import { loadIdentity, type NodeIdentity } from './identity.ts'
import { type Corrections, openCorrections } from './loading/corrections.ts'
import { createModelHost, type LoadSteps, type ModelHost } from './loading/model-host.ts'
import { obtainModel } from './loading/obtain-model.ts'
import { type ModelLibrary, openModelLibrary } from './models/library.ts'
import { createNodeApi } from './node-api.ts'
import { createPlanning, type Planning } from './planning.ts'
import { createSnapshots, type Snapshots } from './snapshots.ts'

/** The node without its port: everything that works whether or not anybody can reach it. */
export interface Node {
  readonly identity: NodeIdentity
  readonly api: NodeApi
  readonly host: ModelHost
  readonly snapshots: Snapshots
  readonly library: ModelLibrary
  readonly fetcher: ModelFetcher
  readonly planning: Planning
  readonly hub: HubDependencies
  readonly corrections: Corrections
  /** Ends work that nobody waits for. */
  readonly closing: AbortController
}

/** Reads what the state and cache folders keep and wires the parts. Rejects with STATE_INVALID. */
export async function openNode(options: AgentOptions, parts: AgentParts): Promise<Node> {
  const { directories, clock, log } = options
  const identity = await loadIdentity(directories.state)
  const library = await openModelLibrary({
    modelsDirectory: directories.models,
    cacheDirectory: directories.cache,
    log,
    readManifest: parts.readManifest,
    hashFile: parts.hashFile,
  })
  const corrections = await openCorrections(directories.state, log)
  const hub = { ...parts.hub, clock, log }
  const fetcher = createModelFetcher({
    hub,
    modelsDirectory: directories.models,
    async onFetched({ path, partDigests }) {
      log.info({ file: path }, 'a model was fetched')
      if (partDigests !== null) await library.noteDigests(path, partDigests)
    },
  })
  const incarnation = randomBytes(8).toString('hex')
  const closing = new AbortController()
  const steps: LoadSteps = {
    engine: options.engine,
    obtain(command: LoadModelCommand, onProgress, signal) {
      const { checkBeforeFetch } = planning
      return obtainModel(command, { library, fetcher, writeDemo: parts.writeDemo, checkBeforeFetch }, { onProgress, signal })
    },
    fit: (disk, command) => planning.planLoad(disk, command),
    loaded(disk, plan, model) {
      corrections.observe(model.modelId, plan, model)
      // After the load, so that hashing does not compete with it for the disk.
      library.digest(disk.path, closing.signal).then(
        (sha256) => host.setDigest(disk.path, sha256),
        (error: unknown) => {
          if (!closing.signal.aborted) log.warn({ file: disk.path, err: error }, 'the digest of a model could not be computed')
        },
      )
    },
  }
  const host: ModelHost = createModelHost({
    clock,
    log,
    onChange: () => snapshots.touch(),
    steps,
  })
  const planning = createPlanning({ parts, hub, library, corrections, threads: options.threads ?? null, loaded: () => host.plans() })
  const snapshots = createSnapshots({
    clock,
    build: () => ({ nodeId: identity.nodeId, incarnation, draining: host.draining, models: host.states() }),
  })
  const api = createNodeApi({
    nodeId: identity.nodeId,
    shoalVersion,
    host,
    snapshots,
    profile: parts.profile,
    localModels: () => library.refresh(),
  })
  return { identity, api, host, snapshots, library, fetcher, planning, hub, corrections, closing }
}
