import { randomBytes } from 'node:crypto'
import type { Clock, Engine, LoadModelCommand, Log, ModelId, NodeApi, NodeId } from '@shoal/core'
import type { Membership, MulticastStatus } from '@shoal/membership'
import { shoalVersion } from '@shoal/runtime'
import type { AgentParts } from './agent-parts.ts'
import { createDefaultParts } from './default-parts.ts'
import type { HubDependencies } from './hub/download-model.ts'
import { createModelFetcher, type ModelFetcher } from './hub/model-fetcher.ts'
import { loadIdentity } from './identity.ts'
import { openCorrections } from './loading/corrections.ts'
import { createModelHost, type ModelHost } from './loading/model-host.ts'
import { obtainModel } from './loading/obtain-model.ts'
import { type ModelLibrary, openModelLibrary } from './models/library.ts'
import { createNodeApi } from './node-api.ts'
import { createPlanning, type Planning } from './planning.ts'
import { createSnapshots } from './snapshots.ts'

export interface AgentDirectories {
  readonly state: string
  readonly models: string
  readonly cache: string
}

export interface AgentOptions {
  readonly directories: AgentDirectories
  /** Address the node port listens on; beyond loopback only with `insecureLan`. */
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** Say by mDNS that this node is here. */
  readonly announce: boolean
  readonly insecureLan: boolean
  readonly engine: Engine
  readonly log: Log
  readonly clock: Clock
  /** CPU threads of every engine; null = the engine chooses. */
  readonly threads?: number | null
  /** How long running requests may take to end when the agent is disposed; default 10 s. */
  readonly drainMs?: number
}

/** The node daemon. Disposing it drains, unloads, says goodbye and closes the port, each within a bound. */
export interface Agent extends AsyncDisposable {
  readonly nodeId: NodeId
  /** `host:port` of the node port. */
  readonly address: string
  readonly port: number
  readonly api: NodeApi
  readonly library: ModelLibrary
  readonly fetcher: ModelFetcher
  readonly planning: Planning
  readonly modelsDirectory: string
  readonly hub: HubDependencies
  readonly multicast: MulticastStatus
  /** As `api.unloadModel`, with more patience for running requests. */
  unload(modelId: ModelId, waitMs: number): Promise<void>
}

const drainMsDefault = 10_000
/** Probing drivers that hang must not keep a node from being found. */
const profileMsMax = 8_000
/** Unloading kills engine children; what takes longer is left to the end of the process. */
const unloadMsMax = 5_000

/**
 * Starts the node daemon; `overrides` replace parts of the outside world in tests. Rejects with STATE_INVALID, PORT_IN_USE or USAGE;
 * nothing is left open then.
 */
export async function startAgent(options: AgentOptions, overrides: Partial<AgentParts> = {}): Promise<Agent> {
  const { directories, clock, log } = options
  const parts = { ...createDefaultParts(options), ...overrides }
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
  const host: ModelHost = createModelHost({
    clock,
    log,
    onChange: () => snapshots.touch(),
    steps: {
      engine: options.engine,
      obtain: (command: LoadModelCommand, onProgress, signal) =>
        obtainModel(
          command,
          { library, fetcher, writeDemo: parts.writeDemo, checkBeforeFetch: planning.checkBeforeFetch },
          { onProgress, signal },
        ),
      fit: (disk, command) => planning.planLoad(disk, command),
      loaded: (disk, loadPlan, model) => {
        corrections.observe(model.modelId, loadPlan, model)
        learnDigest(disk.path)
      },
    },
  })
  const planning = createPlanning({ parts, hub, library, corrections, threads: options.threads ?? null, loaded: () => host.plans() })
  const snapshots = createSnapshots({
    clock,
    build: () => ({ nodeId: identity.nodeId, incarnation, draining: host.draining, models: host.states() }),
  })
  /** After the load, so that hashing does not compete with it for the disk. */
  const learnDigest = (file: string) => {
    library.digest(file, closing.signal).then(
      (sha256) => host.setDigest(file, sha256),
      (error: unknown) => {
        if (!closing.signal.aborted) log.warn({ file, err: error }, 'the digest of a model could not be computed')
      },
    )
  }
  const api = createNodeApi({
    nodeId: identity.nodeId,
    shoalVersion,
    host,
    snapshots,
    profile: parts.profile,
    localModels: () => library.refresh(),
  })

  const server = await parts.startServer({
    host: options.host,
    port: options.port,
    api,
    log,
    allowInsecureNonLoopback: options.insecureLan,
  })
  // Whoever hears of this node asks for its profile at once: the first one, which takes seconds, is made before anybody hears of it.
  const profiled = parts.profile().then(
    () => undefined,
    (error: unknown) => log.warn({ err: error }, 'the profile of this machine could not be made'),
  )
  if (options.announce) await within(profiled, profileMsMax, clock)
  let membership: Membership
  try {
    membership = await parts.startMembership({
      announce: options.announce ? { role: 'agent', id: identity.nodeId, port: server.port } : null,
      browse: [],
      peers: [],
      peerPort: server.port,
      log,
      clock,
      onChange: () => undefined,
    })
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }

  let stopped: Promise<void> | null = null
  const stop = async () => {
    const { unfinished } = await host.drain(options.drainMs ?? drainMsDefault, new AbortController().signal)
    if (unfinished > 0) log.warn({ unfinished }, 'requests were still running at the end of the drain')
    closing.abort()
    await within(host[Symbol.asyncDispose](), unloadMsMax, clock)
    await corrections.saved()
    await membership[Symbol.asyncDispose]()
    snapshots.end()
    await server[Symbol.asyncDispose]()
  }
  return {
    nodeId: identity.nodeId,
    port: server.port,
    address: `${options.host.includes(':') ? `[${options.host}]` : options.host}:${server.port}`,
    api,
    library,
    fetcher,
    planning,
    modelsDirectory: directories.models,
    hub,
    unload: (modelId, waitMs) => host.unload(modelId, waitMs),
    get multicast() {
      return membership.multicast
    },
    [Symbol.asyncDispose]() {
      stopped ??= stop()
      return stopped
    },
  }
}

function within(work: PromiseLike<void>, limitMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, resolve)
    work.then(resolve, reject).then(cancel, cancel)
  })
}
