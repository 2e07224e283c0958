import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { type Clock, type ClusterView, type Log, type Metrics, ShoalError } from '@shoal/core'
import { type Membership, startMembership } from '@shoal/membership'
import { rankOfModelId } from '@shoal/planner'
import { createNodeClient, isLoopbackHost } from '@shoal/protocol'
import { listenError } from '@shoal/runtime'
import { createGatewayApp } from './app.ts'
import { startController } from './controller/controller.ts'
import { createDeploymentStore } from './controller/deployment-store.ts'
import { createDispatcher, type Dispatcher } from './dispatcher/dispatcher.ts'
import { checkPeers, createCandidateFilter } from './nodes/candidates.ts'
import { createNodeRegistry } from './nodes/node-registry.ts'
import type { ConnectNode } from './ports.ts'
import { sleep } from './sleep.ts'

export interface GatewayOptions {
  /** Loopback only: nothing authenticates clients yet. */
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** Agents named by a person: `host`, `host:port`, `[ipv6]:port`. */
  readonly peers: readonly string[]
  /** Port of peers that name none. */
  readonly peerPort?: number
  /** Whether to look for agents, and to announce the gateway, by mDNS. */
  readonly mdns: boolean
  /** Whether agents beyond this machine may be talked to, without encryption. */
  readonly insecureLan: boolean
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** Folder for deployments, which survive a restart; absent = they do not. */
  readonly stateDir?: string
  /** Requests that may wait at a time. Default 1000. */
  readonly queueMax?: number
  /** How long running answers may take to finish when the gateway goes down. Default 10 s. */
  readonly drainMs?: number
  /** For tests: how a node is reached. */
  readonly connect?: ConnectNode
}

/** A running gateway. Disposing it drains: not ready at once, running answers finish within `drainMs`, then everything closes. */
export interface Gateway extends AsyncDisposable {
  readonly url: string
  readonly port: number
  view(): ClusterView
}

/** A client that sends its headers or body a byte at a time holds a socket for so long and no longer. */
const serverOptions = { keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 120_000, connectionsCheckingInterval: 5_000 }
const queueMaxDefault = 1000
const drainMsDefault = 10_000
const agentPortDefault = 7412

/** Rejects with USAGE (host, peers), PORT_IN_USE. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { log, clock, metrics, insecureLan, host, peerPort = agentPortDefault } = options
  if (!isLoopbackHost(host)) {
    throw new ShoalError({
      code: 'USAGE',
      message: `The gateway cannot listen on ${host}: it has no keys yet, so it serves this machine only.`,
      remedy: 'Use --host 127.0.0.1, and reach it from elsewhere through an SSH tunnel.',
    })
  }
  checkPeers(options.peers, { peerPort, insecureLan })
  const store = createDeploymentStore(options.stateDir ?? null, log)
  const remembered = await store.read()
  const connect = options.connect ?? ((address: string) => createNodeClient({ address, log }))
  const nodes = createNodeRegistry({ clock, log, connect, random: Math.random })
  const routing = { queueMax: options.queueMax ?? queueMaxDefault, rankOf: rankOfModelId }
  const dispatcher = createDispatcher({ ports: { clock, log }, nodes, routing })
  const controller = startController({ nodes, remembered, store, clock, log })
  let draining = false
  const app = createGatewayApp({ clock, log, metrics, dispatcher, controller, view: nodes.view, isDraining: () => draining })
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions }) as Server
  const filter = createCandidateFilter({ insecureLan, log })
  let membership: Membership | null = null
  const closeAll = async (): Promise<void> => {
    await membership?.[Symbol.asyncDispose]()
    await controller[Symbol.asyncDispose]()
    await dispatcher[Symbol.asyncDispose]()
    await close(server)
    await nodes[Symbol.asyncDispose]()
  }
  try {
    const { port } = await listen(server, options)
    membership = await startMembership({
      announce: options.mdns && insecureLan ? { role: 'gateway', id: `gw-${randomBytes(8).toString('hex')}`, port } : null,
      browse: options.mdns ? ['agent'] : [],
      peers: options.peers,
      peerPort,
      log,
      clock,
      onChange: (candidates) => nodes.setCandidates(filter(candidates)),
    })
    let closed: Promise<void> | null = null
    return {
      url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
      port,
      view: nodes.view,
      [Symbol.asyncDispose]() {
        draining = true
        closed ??= drain(dispatcher, clock, options.drainMs ?? drainMsDefault).then(closeAll)
        return closed
      },
    }
  } catch (thrown) {
    await closeAll()
    throw thrown
  }
}

/** Resolves when every answer is complete or the time is over; what still runs then ends with an explicit error. */
async function drain(dispatcher: Dispatcher, clock: Clock, boundMs: number): Promise<void> {
  const bound = new AbortController()
  await Promise.race([dispatcher.drain(), sleep(clock, boundMs, bound.signal)])
  bound.abort()
}

function listen(server: Server, { host, port }: GatewayOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError({ error, host, port, what: 'The gateway' })))
    server.listen(port, host, () => resolve(server.address() as AddressInfo))
  })
}

/** Lets the last bytes of ended answers out, then cuts what is left. */
async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const cut = setTimeout(() => server.closeAllConnections(), 500)
  await closed
  clearTimeout(cut)
}
