import type { Clock } from '@shoal/core'
import type { EventSink, OpenSink } from './event-sink.ts'

export interface EventWriterOptions {
  readonly clock: Clock
  readonly open: OpenSink
  /** One piece of text as an event. */
  readonly render: (text: string) => string
  /** The client is gone, or has read nothing for 30 s and was cut off. */
  readonly onGone: () => void
  /** More than 64 KiB of text wait for a slow reader. */
  readonly onOverflow: () => void
}

/** Server-sent events to one client. */
export interface EventWriter {
  /** Clock time of the last write. */
  lastWriteMs(): number
  /** A piece of the answer. Pieces that a slow reader has not taken yet are joined into one event. */
  text(piece: string): void
  /** An event that is not joined with others. */
  event(rendered: string): void
  /** Last events, then the end of the stream. */
  end(rendered: string): void
}

/** Characters of answer text kept for a slow reader, beyond what the socket holds. */
const heldMax = 64 * 1024
const stallMs = 30_000

/**
 * Opens the sink. What is written within one turn of the event loop goes to the socket as one piece. A reader that is slower than the node
 * gets fewer, longer events: what waits for it is the bare text, and that is bounded in size and in time.
 */
export function createEventWriter({
  clock,
  open,
  render,
  onGone,
  onOverflow,
}: EventWriterOptions): EventWriter & Pick<EventSink, 'response'> {
  let ready = ''
  let held = ''
  let isFlushing = false
  let isBehind = false
  let isClosed = false
  let lastWriteMs = clock.nowMs()
  let cancelStall = () => {}

  const close = () => {
    isClosed = true
    cancelStall()
  }
  const sink = open({
    onDrain() {
      if (!isBehind || isClosed) return
      isBehind = false
      cancelStall()
      release()
    },
    onGone() {
      close()
      onGone()
    },
  })
  const stalled = () => {
    close()
    sink.cut()
    onGone()
  }
  const flush = () => {
    isFlushing = false
    if (isClosed || ready === '') return
    const text = ready
    ready = ''
    if (sink.write(text) || isBehind) return
    isBehind = true
    cancelStall = clock.after(stallMs, stalled)
  }
  const write = (rendered: string) => {
    ready += rendered
    lastWriteMs = clock.nowMs()
    if (isFlushing) return
    isFlushing = true
    setImmediate(flush)
  }
  const release = () => {
    if (held === '') return
    const text = held
    held = ''
    write(render(text))
  }
  return {
    response: sink.response,
    lastWriteMs: () => lastWriteMs,
    text(piece) {
      if (isClosed) return
      if (!isBehind) return write(render(piece))
      held += piece
      if (held.length > heldMax) onOverflow()
    },
    event(rendered) {
      if (isClosed) return
      release()
      write(rendered)
    },
    end(rendered) {
      if (isClosed) return
      release()
      const isTaken = sink.write(ready + rendered)
      close()
      sink.end()
      // Who reads nothing any more would keep the connection, and what it holds, for ever.
      if (!isTaken) clock.after(stallMs, sink.cut)
    },
  }
}
