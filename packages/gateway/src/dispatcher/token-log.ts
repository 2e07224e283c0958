import type { GenerateEvent } from '@shoal/core'

type TokensEvent = Extract<GenerateEvent, { kind: 'tokens' }>

/**
 * - accepted: the frame continues the log
 * - stale: of an older attempt, or a repetition: to be dropped
 * - gap: tokens are missing before it; nothing after it may be shown
 */
export type FrameVerdict = 'accepted' | 'stale' | 'gap'

/**
 * The gateway's record of one answer, in token ids: what was accepted is the truth, whichever node it came from.
 * A frame counts only if it is of the current attempt and begins exactly where the log ends.
 */
export interface TokenLog {
  readonly tokenIds: readonly number[]
  /** Begins an attempt; frames of all others are stale from now on. */
  begin(epoch: number): void
  append(frame: TokensEvent): FrameVerdict
}

export function createTokenLog(): TokenLog {
  const tokenIds: number[] = []
  let current: number | null = null
  return {
    tokenIds,
    begin(epoch) {
      current = epoch
    },
    append({ epoch, seq, tokenIds: ids }) {
      if (epoch !== current || seq < tokenIds.length) return 'stale'
      if (seq > tokenIds.length) return 'gap'
      for (const id of ids) tokenIds.push(id)
      return 'accepted'
    },
  }
}
