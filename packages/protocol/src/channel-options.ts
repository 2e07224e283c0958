import type { ChannelOptions } from '@grpc/grpc-js'

const mebibyte = 1024 * 1024

/** A request carries at most what the gateway lets in (32 MiB of JSON), plus what the messages add to it. */
const requestBytesMax = 40 * mebibyte
/** The largest answer is a description: some hundred models with a chat template of some 10 KiB each. */
const responseBytesMax = 16 * mebibyte

export interface Keepalive {
  /** Silence after which a ping is sent. */
  readonly timeMs: number
  /** How long its answer may take before the connection counts as dead. */
  readonly timeoutMs: number
}

/**
 * Without pings gRPC notices a frozen peer after 12 s or more; with these after 1.0 to 1.5 s. Shorter ones (250/250 ms notice in 443 ms)
 * cut connections to machines that are merely busy: this process's own event loop may be late by some hundred ms, and a timer that
 * fires late finds the answer unread.
 */
export const defaultKeepalive: Keepalive = { timeMs: 500, timeoutMs: 1000 }

/** The node looks after its side less often: a gateway in a burst is late, and a dead one only costs a slot for some seconds. */
const serverKeepalive: Keepalive = { timeMs: 5000, timeoutMs: 5000 }

export function clientChannelOptions(keepalive: Keepalive): ChannelOptions {
  return {
    ...commonOptions(keepalive),
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
    ...commonOptions(serverKeepalive),
    'grpc.max_send_message_length': responseBytesMax,
    'grpc.max_receive_message_length': requestBytesMax,
    'grpc.max_concurrent_streams': 4096,
  }
}

function commonOptions(keepalive: Keepalive): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': keepalive.timeMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    'grpc.keepalive_permit_without_calls': 1,
    // Bookkeeping for a debugging service that is not served.
    'grpc.enable_channelz': 0,
  }
}
