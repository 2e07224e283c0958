import { type Clock, type NodeDescription, ShoalError } from '@shoal/core'
import type { ConnectNode, NodeClient } from '../ports.ts'
import { sleep } from '../sleep.ts'

export interface Answer {
  readonly address: string
  readonly client: NodeClient
  readonly description: NodeDescription
}

/** Each further address is tried so much later than the one before. */
const staggerMs = 200
const timeoutMs = 5000

export interface FindOptions {
  /** `host:port` of one machine, best first. */
  readonly addresses: readonly string[]
  readonly connect: ConnectNode
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Asks the addresses of one machine who it is, overlapping, and keeps the first that answers; the others are closed.
 * Rejects with the first address's error, or NODE_LOST when none answers within 5 s.
 */
export async function findAddress({ addresses, connect, clock, signal }: FindOptions): Promise<Answer> {
  const stop = new AbortController()
  const onAbort = () => stop.abort()
  signal.addEventListener('abort', onAbort, { once: true })
  const cancelTimeout = clock.after(timeoutMs, onAbort)
  let won = false
  const ask = async (address: string, index: number): Promise<Answer> => {
    if (index > 0) await sleep(clock, index * staggerMs, stop.signal)
    if (signal.aborted || stop.signal.aborted) throw unreachable(addresses)
    const client = connect(address)
    try {
      const description = await client.describe(stop.signal)
      if (won) throw unreachable(addresses)
      won = true
      return { address, client, description }
    } catch (thrown) {
      await client[Symbol.asyncDispose]()
      throw stop.signal.aborted ? unreachable(addresses) : thrown
    }
  }
  try {
    return await Promise.any(addresses.map(ask))
  } catch (thrown) {
    throw thrown instanceof AggregateError ? (thrown.errors[0] ?? unreachable(addresses)) : thrown
  } finally {
    cancelTimeout()
    signal.removeEventListener('abort', onAbort)
    stop.abort()
  }
}

function unreachable(addresses: readonly string[]): ShoalError {
  return new ShoalError({ code: 'NODE_LOST', message: `No agent answers at ${addresses.join(', ') || 'an empty list of addresses'}.` })
}
