import { Metadata, status } from '@grpc/grpc-js'
import { type NodeApi, ShoalError } from '@shoal/core'
import type { NodeClient } from './client/node-client.ts'
import { createNodeStub } from './client/node-stub.ts'
import { errorFromAbort, errorFromAnswer, errorFromStatus, statusFromError } from './grpc-status.ts'
import type { NodeTransport, WireCall } from './node-transport.ts'
import { createFrameWriter } from './server/frame-writer.ts'
import { handleRoute } from './server/handle-route.ts'
import { type AnyNodeRoute, createNodeRoutes } from './server/node-routes.ts'

const address = 'loopback'

/**
 * A node in the same process, without sockets or timers but with all else: every message passes through its bytes, arrives in a later
 * turn of the event loop, and errors pass through the trailer.
 */
export function createLoopback(api: NodeApi): NodeClient {
  const routes = new Map(createNodeRoutes(api).map((route) => [route.method.path, route]))
  const active = new Set<(error: ShoalError) => void>()
  let isClosed = false

  const transport: NodeTransport = {
    address,
    call(call) {
      const route = routes.get(call.method.path)
      if (route === undefined) return Promise.reject(unimplemented(call.method.path))
      if (isClosed) return Promise.reject(closedError())
      if (call.signal.aborted) return Promise.reject(errorFromAbort(call.signal, address))
      return run(route, call, active)
    },
  }
  return {
    ...createNodeStub(transport),
    async [Symbol.asyncDispose]() {
      isClosed = true
      for (const stop of [...active]) stop(closedError())
    },
  }
}

function run<Request, ResponseRead>(
  route: AnyNodeRoute,
  call: WireCall<Request, ResponseRead>,
  active: Set<(error: ShoalError) => void>,
): Promise<void> {
  const { method, signal } = call
  return new Promise((resolve, reject) => {
    const aborter = new AbortController()
    let isSettled = false
    let isServed = false

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
      writer.discard()
      aborter.abort()
    }
    const onAbort = () => stop(errorFromAbort(signal, address))
    const receive = (bytes: Buffer) => {
      if (isSettled) return
      try {
        call.onMessage(method.responseDeserialize(bytes))
      } catch (thrown) {
        stop(errorFromAnswer(thrown, address))
      }
    }
    const writer = createFrameWriter<unknown>({
      write(frame, done) {
        const bytes = route.method.responseSerialize(frame)
        queueMicrotask(() => {
          receive(bytes)
          done()
        })
      },
      join: route.join,
      sizeBytes: route.sizeBytes,
      onOverflow: (error) => stop(error),
    })
    const finish = (error: ShoalError | null) => {
      if (isServed) return
      isServed = true
      writer.close()
      queueMicrotask(() => settle(error === null ? null : errorFromStatus(statusFromError(error), address)))
    }

    signal.addEventListener('abort', onAbort, { once: true })
    active.add(stop)
    const bytes = method.requestSerialize(call.request)
    queueMicrotask(() => {
      if (isSettled) return
      const request = route.method.requestDeserialize(bytes)
      void handleRoute(route, request, { send: writer.send, signal: aborter.signal, log: null }).then(finish)
    })
  })
}

const closedError = () => new ShoalError({ code: 'CANCELLED', message: 'the client of node loopback was closed' })

const unimplemented = (path: string) => errorFromStatus({ code: status.UNIMPLEMENTED, details: path, metadata: new Metadata() }, address)
