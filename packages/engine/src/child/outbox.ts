import type { FromChild, RunEvent } from '../messages.ts'

export interface Outbox {
  /** Tokens of one run that wait together become one event. */
  push(event: RunEvent): void
  /** Sends at once, after what waits. */
  send(message: FromChild): void
}

/**
 * Gathers run events and sends them as one message per turn of the event loop: one IPC message costs some 24 us whatever is in
 * it, and the next decode has been started by then.
 */
export function createOutbox(send: (message: FromChild) => void, schedule: (flush: () => void) => void): Outbox {
  let waiting: RunEvent[] = []
  const flush = () => {
    if (waiting.length === 0) return
    const events = waiting
    waiting = []
    send({ kind: 'events', events })
  }
  return {
    push(event) {
      if (waiting.length === 0) schedule(flush)
      const same = event.kind === 'tokens' ? waiting.findLast((other) => other.run === event.run) : undefined
      if (event.kind === 'tokens' && same?.kind === 'tokens') {
        same.tokenIds.push(...event.tokenIds)
        same.text += event.text
      } else waiting.push(event)
    },
    send(message) {
      flush()
      send(message)
    },
  }
}
