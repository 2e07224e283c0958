import type { ServerOptions } from 'node:http2'
import type { ChannelOptions } from '@grpc/grpc-js'

const mebibyte = 1024 * 1024

/** A request carries at most what the gateway lets in (32 MiB of JSON), plus what the messages add to it. */
const requestBytesMax = 40 * mebibyte
/** The largest answer is a description: some hundred models with a chat template of some 10 KiB each. */
const responseBytesMax = 16 * mebibyte

export interface Keepalive {
  /** Silence of the node, while calls run, after which it is pinged. */
  readonly timeMs: number
  /** How much longer it may be silent before the connection counts as dead. */
  readonly timeoutMs: number
}

/** A frozen node is noticed after 1.25 to 1.5 s (measured); a shorter limit would cut machines that are busy or on bad Wi-Fi. */
export const defaultKeepalive: Keepalive = { timeMs: 250, timeoutMs: 1000 }

export function clientChannelOptions(): ChannelOptions {
  return {
    ...commonOptions,
    'grpc.max_send_message_length': requestBytesMax,
    'grpc.max_receive_message_length': responseBytesMax,
    // A node that comes back is found within a second.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1000,
    'grpc.dns_min_time_between_resolutions_ms': 1000,
    // Retrying is the dispatcher's decision.
    'grpc.enable_retries': 0,
    // Traffic inside the network does not go through a proxy that the environment names.
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // One connection per client, closed with it.
    'grpc.use_local_subchannel_pool': 1,
  }
}

export function serverChannelOptions(): ChannelOptions {
  return {
    ...commonOptions,
    // For gateways that lost their power or network: their requests are stopped after 20 s. One that is merely late in a burst stays.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_send_message_length': responseBytesMax,
    'grpc.max_receive_message_length': requestBytesMax,
    'grpc.max_concurrent_streams': 4096,
  }
}

/** Cancelled streams that one connection of a gateway may have in a burst, and how many a second are forgotten. */
export const http2Limits: ServerOptions = { streamResetBurst: 20_000, streamResetRate: 2000 }

const commonOptions: ChannelOptions = {
  // Bookkeeping for a debugging service that is not served.
  'grpc.enable_channelz': 0,
}
