import { type Log, ShoalError } from '@shoal/core'
import type { Keepalive } from '../channel-options.ts'
import { errorFromAbort } from '../grpc-status.ts'
import type { NodeTransport, WireCall } from '../node-transport.ts'
import { healthService } from '../wire.ts'
import { runGrpcCall } from './grpc-call.ts'
import { createGrpcLink, type GrpcLinkOptions } from './grpc-link.ts'
import { createSilenceGuard } from './silence-guard.ts'

export interface GrpcTransportOptions extends GrpcLinkOptions {
  readonly keepalive: Keepalive
  readonly log: Log
}

export interface GrpcTransport extends NodeTransport {
  /** Cancels what runs and closes the connection. */
  close(): void
}

/** Connects with the first call, and again with the next one after a loss. */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const { address, keepalive, log } = options
  const active = new Set<(error: ShoalError) => void>()
  let link = createGrpcLink(options)
  let isClosed = false

  const guard = createSilenceGuard({
    ...keepalive,
    isNeeded: () => active.size > 0 && link.isConnected(),
    ping: () => {
      // Any answer will do, also one that says the service is unknown.
      const ping = { method: healthService.Check, request: {}, onMessage: () => {}, signal: AbortSignal.timeout(keepalive.timeoutMs) }
      runGrpcCall(ping, { ...context(), active: new Set() }).catch(() => {})
    },
    onSilent: () => {
      log.warn({ address, calls: active.size }, 'node is silent, its connection is given up')
      drop(silentError(address, keepalive))
      link = createGrpcLink(options)
    },
  })
  const context = () => ({ address, link, asked: guard.wake, heard: guard.heard, active })
  const drop = (error: ShoalError) => {
    for (const stop of [...active]) stop(error)
    link.close()
  }

  return {
    address,
    call<Request, ResponseRead>(one: WireCall<Request, ResponseRead>) {
      if (isClosed) return Promise.reject(closedError(address))
      if (one.signal.aborted) return Promise.reject(errorFromAbort(one.signal, address))
      return runGrpcCall(one, context())
    },
    close() {
      if (isClosed) return
      isClosed = true
      guard.stop()
      drop(closedError(address))
      log.debug({ address }, 'connection to node closed')
    },
  }
}

const closedError = (address: string) => new ShoalError({ code: 'CANCELLED', message: `the client of node ${address} was closed` })

const silentError = (address: string, { timeMs, timeoutMs }: Keepalive) =>
  new ShoalError({
    code: 'NODE_LOST',
    message: `node ${address} sent nothing for more than ${timeMs + timeoutMs} ms, not even an answer to a ping`,
  })
