import { type Channel, type ChannelCredentials, Client, connectivityState } from '@grpc/grpc-js'
import { ShoalError } from '@shoal/core'
import { clientChannelOptions } from '../channel-options.ts'

export interface GrpcLinkOptions {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string
  readonly credentials: ChannelCredentials
  /** A host that drops packets would otherwise keep a call waiting for minutes. */
  readonly connectTimeoutMs: number
}

/** One connection to one node, made with the first call and made again by gRPC after a loss. */
export interface GrpcLink {
  /** Null when calls can start now (connected, or known to fail at once); else settles when that is known, or rejects with NODE_LOST. */
  ready(): Promise<void> | null
  isConnected(): boolean
  createCall(path: string): ReturnType<Channel['createCall']>
  close(): void
}

export function createGrpcLink(options: GrpcLinkOptions): GrpcLink {
  const client = new Client(options.address, options.credentials, clientChannelOptions())
  const channel = client.getChannel()
  let connecting: Promise<void> | null = null

  const connect = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + options.connectTimeoutMs
      const look = (timedOut?: Error) => {
        const state = channel.getConnectivityState(true)
        if (isDecided(state)) resolve()
        else if (timedOut) reject(connectError(options))
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
    isConnected: () => channel.getConnectivityState(false) === connectivityState.READY,
    // Below the streams of the public client: they cost a stack trace for each call and a turn of the event loop for each message.
    createCall: (path) => channel.createCall(path, Number.POSITIVE_INFINITY, null, null, null),
    close: () => client.close(),
  }
}

const isDecided = (state: connectivityState) => state !== connectivityState.IDLE && state !== connectivityState.CONNECTING

const connectError = ({ address, connectTimeoutMs }: GrpcLinkOptions) =>
  new ShoalError({
    code: 'NODE_LOST',
    message: `node ${address} cannot be reached: no connection within ${connectTimeoutMs} ms`,
    remedy: 'Check that its agent runs and that no firewall drops packets to this port.',
  })
