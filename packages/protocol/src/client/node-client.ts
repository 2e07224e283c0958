import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import type { Log, NodeApi } from '@shoal/core'
import { defaultKeepalive, type Keepalive } from '../channel-options.ts'
import { createGrpcTransport } from './grpc-transport.ts'
import { createNodeStub } from './node-stub.ts'

export interface NodeClient extends NodeApi, AsyncDisposable {}

export interface NodeClientOptions {
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string
  /** Default: none, plain HTTP/2. */
  readonly credentials?: ChannelCredentials
  readonly keepalive?: Keepalive
  /** How long connecting may take; default 3000. */
  readonly connectTimeoutMs?: number
  readonly log: Log
}

/**
 * A node over gRPC. Connects with the first call and by itself again after a loss. A refused, broken or frozen connection is NODE_LOST;
 * errors of the node arrive as they were thrown there, without their cause. Disposing cancels what runs.
 */
export function createNodeClient(options: NodeClientOptions): NodeClient {
  const transport = createGrpcTransport({
    address: options.address,
    credentials: options.credentials ?? credentials.createInsecure(),
    keepalive: options.keepalive ?? defaultKeepalive,
    connectTimeoutMs: options.connectTimeoutMs ?? 3000,
    log: options.log,
  })
  return {
    ...createNodeStub(transport),
    async [Symbol.asyncDispose]() {
      transport.close()
    },
  }
}
