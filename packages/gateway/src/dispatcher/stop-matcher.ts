/** What of the text may be emitted now. After `stopped` nothing more is accepted. */
export interface StopStep {
  readonly text: string
  readonly stopped: boolean
}

export interface StopMatcher {
  push(text: string): StopStep
  /** The stream ended: what was held back as a possible beginning of a stop string is plain text. */
  flush(): string
}

const passThrough: StopMatcher = { push: (text) => ({ text, stopped: false }), flush: () => '' }

/**
 * Cuts a text stream before the first stop string. The match that is complete first wins (of two complete at the same character,
 * the longer), so the result does not depend on how the text was cut into pieces. The end of the text is held back only as far as
 * it is the beginning of a stop string.
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  if (stops.length === 0) return passThrough
  let held = ''
  return {
    push(piece) {
      const text = held + piece
      const cut = findFirstStop(text, stops)
      if (cut !== null) {
        held = ''
        return { text: text.slice(0, cut), stopped: true }
      }
      const keep = heldLength(text, stops)
      held = text.slice(text.length - keep)
      return { text: text.slice(0, text.length - keep), stopped: false }
    },
    flush() {
      const rest = held
      held = ''
      return rest
    },
  }
}

/** Where the first complete stop string begins, or null. */
function findFirstStop(text: string, stops: readonly string[]): number | null {
  let begin: number | null = null
  let end = Number.POSITIVE_INFINITY
  for (const stop of stops) {
    const at = text.indexOf(stop)
    if (at === -1 || at + stop.length > end) continue
    if (at + stop.length === end && begin !== null && begin <= at) continue
    begin = at
    end = at + stop.length
  }
  return begin
}

/** Length of the longest end of `text` that a stop string begins with. */
function heldLength(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length
    }
  }
  return longest
}
