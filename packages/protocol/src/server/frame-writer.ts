import { ShoalError } from '@shoal/core'

/** Bytes kept for a peer that reads slowly, beyond the one message it is being sent. */
export const waitingBytesMax = 64 * 1024

export interface FrameWriter<Frame> {
  send(frame: Frame): void
  /** Hands over what waits; nothing is accepted afterwards. */
  close(): void
  /** Forgets what waits; nothing is accepted afterwards. */
  discard(): void
}

export interface FrameWriterOptions<Frame> {
  /** Calls `done` when the transport has taken the frame and can use another. */
  readonly write: (frame: Frame, done: () => void) => void
  /** Puts `next` into `waiting` and says true, or false when they must stay two frames. */
  readonly join: (waiting: Frame, next: Frame) => boolean
  /** About what a frame holds in memory. */
  readonly sizeBytes: (frame: Frame) => number
  readonly onOverflow: (error: ShoalError) => void
}

/**
 * One frame is on its way at a time. What comes meanwhile, or in the same turn of the event loop, is joined: a fast peer gets each
 * event at once, a slow one gets fewer, larger frames and the newest of what replaces itself.
 */
export function createFrameWriter<Frame>(options: FrameWriterOptions<Frame>): FrameWriter<Frame> {
  const { write, join, sizeBytes, onOverflow } = options
  let waiting: Frame[] = []
  /** idle: nothing to do; scheduled: frames go out at the end of this turn; sending: one frame is on its way */
  let state: 'idle' | 'scheduled' | 'sending' = 'idle'
  let isOpen = true

  const flush = () => {
    const frame = waiting.shift()
    state = frame === undefined ? 'idle' : 'sending'
    if (frame !== undefined) write(frame, flush)
  }
  const waitingBytes = () => waiting.reduce((sum, frame) => sum + sizeBytes(frame), 0)

  return {
    send(frame) {
      if (!isOpen) return
      const last = waiting.at(-1)
      if (last === undefined || !join(last, frame)) waiting.push(frame)
      if (state === 'idle') {
        state = 'scheduled'
        process.nextTick(flush)
      } else if (state === 'sending' && waitingBytes() > waitingBytesMax) {
        onOverflow(slowReader())
      }
    },
    close() {
      isOpen = false
      for (const frame of waiting) write(frame, ignore)
      waiting = []
    },
    discard() {
      isOpen = false
      waiting = []
    },
  }
}

const ignore = () => {}

const slowReader = () =>
  new ShoalError({ code: 'SLOW_READER', message: `the reader fell more than ${waitingBytesMax / 1024} KiB behind; its stream was cut` })
