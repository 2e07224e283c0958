import { type ChannelCredentials, Client, type ClientReadableStream, connectivityState, type StatusObject } from '@grpc/grpc-js'
import { type Log, ShoalError } from '@shoal/core'
import { clientChannelOptions, type Keepalive } from '../channel-options.ts'
import { errorFromAbort, errorFromAnswer, errorFromStatus } from '../grpc-status.ts'
import type { NodeTransport, WireCall } from '../node-transport.ts'

export interface GrpcTransportOptions {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string
  readonly credentials: ChannelCredentials
  readonly keepalive: Keepalive
  /** A host that drops packets would otherwise keep a call waiting for minutes. */
  readonly connectTimeoutMs: number
  readonly log: Log
}

export interface GrpcTransport extends NodeTransport {
  /** Cancels what runs and closes the connection. */
  close(): void
}

/** Connects with the first call, and again with the next one after a loss. */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const { address, log } = options
  const client = new Client(address, options.credentials, clientChannelOptions(options.keepalive))
  const connection = createConnection(client, options)
  const active = new Set<(error: ShoalError) => void>()
  let isClosed = false

  function call<Request, ResponseRead>(one: WireCall<Request, ResponseRead>): Promise<void> {
    const { method, signal } = one
    if (isClosed) return Promise.reject(closedError(address))
    if (signal.aborted) return Promise.reject(errorFromAbort(signal, address))
    return new Promise((resolve, reject) => {
      let stream: ClientReadableStream<ResponseRead> | null = null
      let isSettled = false

      const settle = (error: ShoalError | null) => {
        if (isSettled) return
        isSettled = true
        signal.removeEventListener('abort', onAbort)
        active.delete(stop)
        if (error === null) resolve()
        else reject(error)
      }
      const stop = (error: ShoalError) => {
        settle(error)
        stream?.cancel()
      }
      const onAbort = () => stop(errorFromAbort(signal, address))
      const start = () => {
        if (isSettled) return
        stream = client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, one.request)
        stream.on('data', (message: ResponseRead) => {
          if (isSettled) return
          try {
            one.onMessage(message)
          } catch (thrown) {
            stop(errorFromAnswer(thrown, address))
          }
        })
        stream.on('error', (error: Error & StatusObject) => settle(errorFromStatus(error, address)))
        stream.on('end', () => settle(null))
      }

      signal.addEventListener('abort', onAbort, { once: true })
      active.add(stop)
      const connecting = connection.ready()
      if (connecting === null) start()
      else connecting.then(start, (error: unknown) => settle(ShoalError.from(error)))
    })
  }

  return {
    address,
    call,
    close() {
      if (isClosed) return
      isClosed = true
      for (const stop of [...active]) stop(closedError(address))
      client.close()
      log.debug({ address }, 'connection to node closed')
    },
  }
}

interface Connection {
  /** Null when calls can start now (connected, or known to fail at once); else settles when that is known. */
  ready(): Promise<void> | null
}

function createConnection(client: Client, options: GrpcTransportOptions): Connection {
  const { address, connectTimeoutMs } = options
  const channel = client.getChannel()
  let connecting: Promise<void> | null = null

  const isDecided = (state: connectivityState) => state !== connectivityState.IDLE && state !== connectivityState.CONNECTING

  const connect = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + connectTimeoutMs
      const look = (error?: Error) => {
        const state = channel.getConnectivityState(true)
        if (isDecided(state)) resolve()
        else if (error) reject(connectError(address, connectTimeoutMs))
        else channel.watchConnectivityState(state, deadline, look)
      }
      look()
    })

  return {
    ready() {
      if (isDecided(channel.getConnectivityState(true))) return null
      connecting ??= connect().finally(() => {
        connecting = null
      })
      return connecting
    },
  }
}

const closedError = (address: string) => new ShoalError({ code: 'CANCELLED', message: `the client of node ${address} was closed` })

const connectError = (address: string, timeoutMs: number) =>
  new ShoalError({
    code: 'NODE_LOST',
    message: `node ${address} cannot be reached: no connection within ${timeoutMs} ms`,
    remedy: 'Check that its agent runs and that no firewall drops packets to this port.',
  })
