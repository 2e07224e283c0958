import type { ServerResponse } from 'node:http'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'

/** Where the text of an event stream goes. */
export interface EventSink {
  /** What the route answers with. */
  readonly response: Response
  /** False = the reader is behind; `onDrain` tells when it has caught up. What was written is kept all the same. */
  write(text: string): boolean
  end(): void
  /** Drops the connection, unless everything was sent and the end, too. */
  readonly cut: () => void
}

export interface SinkEvents {
  onDrain(): void
  /** The client is gone; nothing can be written any more. Not called after `end`. */
  onGone(): void
}

/** Sends the headers and opens the sink. */
export type OpenSink = (events: SinkEvents) => EventSink

/**
 * Straight to Node's response: a stream between costs a third of the gateway's work per token, and its own buffers for every open answer.
 */
export function openNodeSink(outgoing: ServerResponse, headers: Readonly<Record<string, string>>): OpenSink {
  return ({ onDrain, onGone }) => {
    let ended = false
    outgoing.writeHead(200, headers)
    outgoing.flushHeaders()
    outgoing.on('drain', onDrain)
    outgoing.once('close', () => {
      if (!ended) onGone()
    })
    // The loss itself arrives as `close`; without a listener it would end the process.
    outgoing.on('error', () => {})
    return {
      response: RESPONSE_ALREADY_SENT,
      write: (text) => outgoing.write(text),
      end() {
        ended = true
        outgoing.end()
      },
      cut() {
        if (!outgoing.writableFinished) outgoing.destroy()
      },
    }
  }
}

/** Bytes a reader may be behind before it counts as slow. */
const highWaterBytes = 16 * 1024

/** A web stream as the body of a Response, for requests that come without a socket. */
export function openWebSink(headers: Readonly<Record<string, string>>): OpenSink {
  return ({ onDrain, onGone }) => {
    const encoder = new TextEncoder()
    let controller: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>(
      {
        start(given) {
          controller = given
        },
        pull: onDrain,
        cancel: onGone,
      },
      new ByteLengthQueuingStrategy({ highWaterMark: highWaterBytes }),
    )
    return {
      response: new Response(body, { headers }),
      write(text) {
        controller.enqueue(encoder.encode(text))
        return (controller.desiredSize ?? 0) > 0
      },
      end: () => controller.close(),
      cut() {
        // A stream that was closed stays as it is; one that was not ends as a broken connection does.
        controller.error(new Error('The connection was dropped.'))
      },
    }
  }
}
