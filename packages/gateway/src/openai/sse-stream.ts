import type { Clock } from '@shoal/core'

export interface SseStreamOptions {
  readonly clock: Clock
  /** One piece of text as an event. */
  readonly render: (text: string) => string
  /** The client closed its connection, or has read nothing for `stallMs`. */
  readonly onGone: () => void
  /** More than `heldMax` characters wait for a slow reader. */
  readonly onOverflow: () => void
}

/** Server-sent events to one client, as the body of a Response. */
export interface SseStream {
  readonly body: ReadableStream<Uint8Array>
  /** Milliseconds (clock) of the last write. */
  readonly lastWriteMs: number
  /** A delta of the answer. Pieces that a slow reader has not taken yet are joined into one event. */
  text(piece: string): void
  /** An event that is not joined with others. */
  event(rendered: string): void
  /** Last events, then the end of the stream. */
  end(rendered: string): void
}

/** Bytes the stream itself keeps before it counts as slow; the socket has its own buffer behind it. */
const highWaterBytes = 16 * 1024
/** Characters of answer text kept for a slow reader. */
const heldMax = 64 * 1024
const stallMs = 30_000

/**
 * Collects what is written within one turn of the event loop into one piece for the socket. A reader that is slower than the node gets
 * fewer, longer events: what waits for it is the bare text, and that is bounded.
 */
export function createSseStream({ clock, render, onGone, onOverflow }: SseStreamOptions): SseStream {
  let controller: ReadableStreamDefaultController<Uint8Array>
  let ready = ''
  let held = ''
  let flushing = false
  let blocked = false
  let closed = false
  let lastWriteMs = clock.nowMs()
  let cancelStall = () => {}

  const close = () => {
    closed = true
    cancelStall()
  }
  const stalled = () => {
    if (closed) return
    close()
    controller.close()
    onGone()
  }
  const send = () => {
    flushing = false
    if (closed || ready === '') return
    controller.enqueue(Buffer.from(ready))
    ready = ''
    if (blocked || (controller.desiredSize ?? 0) > 0) return
    blocked = true
    cancelStall = clock.after(stallMs, stalled)
  }
  const write = (rendered: string) => {
    ready += rendered
    lastWriteMs = clock.nowMs()
    if (flushing) return
    flushing = true
    setImmediate(send)
  }
  const release = () => {
    if (held === '') return
    const text = held
    held = ''
    write(render(text))
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
      },
      pull() {
        if (!blocked) return
        blocked = false
        cancelStall()
        release()
      },
      cancel() {
        close()
        onGone()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: highWaterBytes }),
  )
  return {
    body,
    get lastWriteMs() {
      return lastWriteMs
    },
    text(piece) {
      if (closed) return
      if (!blocked) return write(render(piece))
      held += piece
      if (held.length > heldMax) onOverflow()
    },
    event(rendered) {
      if (closed) return
      release()
      write(rendered)
    },
    end(rendered) {
      if (closed) return
      release()
      ready += rendered
      send()
      close()
      controller.close()
    },
  }
}
