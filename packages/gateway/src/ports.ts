import type { Clock, Log, Metrics, NodeApi, Random } from '@shoal/core'

/** One connection to one address. Disposing it ends every call that still runs on it. */
export type NodeClient = NodeApi & AsyncDisposable

/** Makes a client for `host:port` without talking to it; calls fail when nobody answers there. */
export type ConnectNode = (address: string) => NodeClient

/** What every part of the gateway may use of the outside world. */
export interface GatewayPorts {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly random: Random
  readonly connect: ConnectNode
}
