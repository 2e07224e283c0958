import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Log, ShoalError } from '@shoal/core'
import { statusFromError } from '../grpc-status.ts'
import { createFrameWriter } from './frame-writer.ts'
import { handleRoute } from './handle-route.ts'
import type { AnyNodeRoute } from './node-routes.ts'

/** One call on its way through a handler. */
export interface ServedCall {
  readonly endsWithNode: boolean
  /** Ends the call now, well (null) or with an error, and aborts the handler. */
  end(error: ShoalError | null): void
}

export interface ServeCallOptions {
  readonly route: AnyNodeRoute
  readonly stream: ServerWritableStream<unknown, unknown>
  /** Calls put themselves here while they run. */
  readonly calls: Set<ServedCall>
  readonly log: Log
}

export function serveCall({ route, stream, calls, log }: ServeCallOptions): void {
  const aborter = new AbortController()
  let isOver = false

  const over = () => {
    isOver = true
    calls.delete(call)
  }
  const finish = (error: ShoalError | null) => {
    if (isOver) return
    over()
    writer.close()
    if (error === null) stream.end()
    else stream.emit('error', statusFromError(error))
  }
  const call: ServedCall = {
    endsWithNode: route.endsWithNode,
    end(error) {
      finish(error)
      aborter.abort()
    },
  }
  const writer = createFrameWriter<unknown>({
    write: (frame, done) => stream.write(frame, done),
    join: route.join,
    sizeBytes: route.sizeBytes,
    onOverflow: (error) => {
      log.warn({ method: route.name, code: error.code }, error.message)
      writer.discard()
      call.end(error)
    },
  })

  calls.add(call)
  // Comes when the peer cancels or its connection breaks, and once more after every regular end.
  stream.on('cancelled', () => {
    if (isOver) return
    over()
    writer.discard()
    aborter.abort()
  })
  void handleRoute(route, stream.request, { send: writer.send, signal: aborter.signal, log }).then(finish)
}
