import type { Clock, Engine, Log, ModelId, NodeApi, NodeId } from '@shoal/core'
import type { Membership, MulticastStatus } from '@shoal/membership'
import type { AgentParts } from './agent-parts.ts'
import { createDefaultParts } from './default-parts.ts'
import type { HubDependencies } from './hub/download-model.ts'
import type { ModelFetcher } from './hub/model-fetcher.ts'
import type { ModelLibrary } from './models/library.ts'
import { openNode } from './node.ts'
import type { Planning } from './planning.ts'
import { takeStateLock } from './state-lock.ts'

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
 * Starts the node daemon; `overrides` replace parts of the outside world in tests. Rejects with STATE_INVALID (as when another
 * agent has the state folder), PORT_IN_USE or USAGE; nothing is left open then.
 */
export async function startAgent(options: AgentOptions, overrides: Partial<AgentParts> = {}): Promise<Agent> {
  const lock = await takeStateLock(options.directories.state, options.clock)
  try {
    return await startLocked(options, overrides, lock)
  } catch (error) {
    await lock[Symbol.asyncDispose]()
    throw error
  }
}

/** The agent of a state folder that no other has; `lock` goes with it. */
async function startLocked(options: AgentOptions, overrides: Partial<AgentParts>, lock: AsyncDisposable): Promise<Agent> {
  const { clock, log } = options
  const parts = { ...createDefaultParts(options), ...overrides }
  const node = await openNode(options, parts)
  const { api, host, identity } = node

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
    await using _ = lock
    const { unfinished } = await host.drain(options.drainMs ?? drainMsDefault, new AbortController().signal)
    if (unfinished > 0) log.warn({ unfinished }, 'requests were still running at the end of the drain')
    node.closing.abort()
    await within(host[Symbol.asyncDispose](), unloadMsMax, clock)
    await node.corrections.saved()
    await membership[Symbol.asyncDispose]()
    node.snapshots.end()
    await server[Symbol.asyncDispose]()
  }
  return {
    nodeId: identity.nodeId,
    port: server.port,
    address: `${options.host.includes(':') ? `[${options.host}]` : options.host}:${server.port}`,
    api,
    library: node.library,
    fetcher: node.fetcher,
    planning: node.planning,
    hub: node.hub,
    modelsDirectory: options.directories.models,
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
