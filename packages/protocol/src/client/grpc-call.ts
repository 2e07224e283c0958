import { Metadata, status } from '@grpc/grpc-js'
import { ShoalError } from '@shoal/core'
import { errorFromAbort, errorFromAnswer, errorFromStatus } from '../grpc-status.ts'
import type { WireCall } from '../node-transport.ts'
import type { GrpcLink } from './grpc-link.ts'

export interface GrpcCallContext {
  readonly address: string
  readonly link: GrpcLink
  /** Told when the node is asked, and of every sign of life from it. */
  readonly asked: () => void
  readonly heard: () => void
  /** Ends the call from outside; it is in the set while it runs. */
  readonly active: Set<(error: ShoalError) => void>
}

/** Runs one call to its end. Nothing reaches `onMessage` once it has settled. */
export function runGrpcCall<Request, ResponseRead>(one: WireCall<Request, ResponseRead>, context: GrpcCallContext): Promise<void> {
  const { method, signal } = one
  const { address, link, asked, heard, active } = context
  return new Promise((resolve, reject) => {
    const request = method.requestSerialize(one.request)
    let call: ReturnType<GrpcLink['createCall']> | null = null
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
      call?.cancelWithStatus(status.CANCELLED, 'cancelled')
    }
    const onAbort = () => stop(errorFromAbort(signal, address))

    const start = () => {
      if (isSettled) return
      const started = link.createCall(method.path)
      call = started
      started.start(new Metadata(), {
        onReceiveMetadata: heard,
        onReceiveMessage(bytes: Buffer) {
          heard()
          if (isSettled) return
          try {
            one.onMessage(method.responseDeserialize(bytes))
          } catch (thrown) {
            stop(errorFromAnswer(thrown, address))
            return
          }
          started.startRead()
        },
        onReceiveStatus(received) {
          // After a stop the status is our own.
          if (isSettled) return
          heard()
          settle(received.code === status.OK ? null : errorFromStatus(received, address))
        },
      })
      asked()
      started.sendMessageWithContext({}, request)
      started.halfClose()
      started.startRead()
    }

    signal.addEventListener('abort', onAbort, { once: true })
    active.add(stop)
    const connecting = link.ready()
    if (connecting === null) start()
    else connecting.then(start).catch((error: unknown) => settle(ShoalError.from(error)))
  })
}
