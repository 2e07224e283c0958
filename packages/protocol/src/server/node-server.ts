import type { ServerOptions } from 'node:http2'
import { logVerbosity, Server, ServerCredentials, type ServerWritableStream, setLogVerbosity } from '@grpc/grpc-js'
import { type Log, type NodeApi, ShoalError } from '@shoal/core'
import { http2Limits, serverChannelOptions } from '../channel-options.ts'
import { createHealth } from './health.ts'
import { checkListenHost, formatAddress, isLoopbackHost, type ListenAddress, listenError } from './listen-address.ts'
import { createNodeRoutes } from './node-routes.ts'
import { type ServedCall, serveCall } from './serve-call.ts'

export interface NodeServer extends AsyncDisposable {
  /** The one that was given, or the one that was free. */
  readonly port: number
}

export interface NodeServerOptions extends ListenAddress {
  readonly api: NodeApi
  readonly log: Log
  /** Until nodes and gateways have certificates, only loopback is safe. */
  readonly allowInsecureNonLoopback: boolean
  /** How long running calls may take to end when the server stops; default 1000. */
  readonly stopGraceMs?: number
}

/** How long the last frames and statuses may take to leave before connections are cut. */
const flushMs = 250

/**
 * Serves a node over gRPC, with the standard health service beside it. Rejects with USAGE for a host beyond loopback that was not allowed
 * or does not exist, PORT_IN_USE. Disposing takes no new calls, ends watches, waits `stopGraceMs`, ends the rest with NODE_DRAINING.
 */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const { api, log, host } = options
  checkListenHost(host, options.allowInsecureNonLoopback)
  // gRPC writes to stderr by itself; all that matters comes back as an error.
  setLogVerbosity(logVerbosity.NONE)
  const server = createGrpcServer()
  const calls = new Set<ServedCall>()
  for (const route of createNodeRoutes(api)) {
    const { method } = route
    const handler = (stream: ServerWritableStream<unknown, unknown>) => serveCall({ route, stream, calls, log })
    server.register(method.path, handler, method.responseSerialize, method.requestDeserialize, 'serverStream')
  }
  const health = createHealth()
  health.register(server)
  const port = await bind(server, options)
  if (!isLoopbackHost(host)) log.warn({ host, port }, 'the node port is open to the network without encryption or keys (--insecure-lan)')
  log.info({ host, port }, 'node port open')

  let stopped: Promise<void> | null = null
  const stop = async () => {
    health.stop()
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
    for (const call of calls) if (call.endsWithNode) call.end(null)
    await within(closed, options.stopGraceMs ?? 1000)
    for (const call of calls) call.end(new ShoalError({ code: 'NODE_DRAINING', message: 'the node stopped' }))
    await within(closed, flushMs)
    server.forceShutdown()
    log.info({ host, port }, 'node port closed')
  }
  return {
    port,
    [Symbol.asyncDispose]() {
      stopped ??= stop()
      return stopped
    },
  }
}

/**
 * Node cuts a whole connection after 1000 cancelled streams, plus 33 for each second that passes (its defence against floods of resets):
 * a gateway whose clients give up in a burst would lose every stream on this node. gRPC has no option for the limit, so it is put
 * where gRPC keeps its options for Node's server.
 */
function createGrpcServer(): Server {
  const server = new Server(serverChannelOptions())
  const { commonServerOptions } = server as unknown as { commonServerOptions: ServerOptions }
  Object.assign(commonServerOptions, http2Limits)
  return server
}

function bind(server: Server, address: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatAddress(address), ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(listenError(address, error))
    })
  })
}

function within(done: Promise<void>, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs)
    void done.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
