import type { GenerateResponse as Frame } from '../generated/shoal/v1/GenerateResponse.ts'
import type { Tokens } from '../generated/shoal/v1/Tokens.ts'

/**
 * Puts `next`, which holds one event, into `waiting`, so that reading the frame gives the same ids and text in the same order. Tokens
 * are joined when they are contiguous and of one epoch; of two heartbeats the newer one counts. False when they must stay two frames.
 */
export function joinGenerateFrames(waiting: Frame, next: Frame): boolean {
  if (waiting.finished) return false
  if (next.tokens) return joinTokens(waiting, next.tokens)
  if (next.heartbeat) {
    waiting.heartbeat = next.heartbeat
    return true
  }
  if (next.finished) {
    waiting.finished = next.finished
    return true
  }
  return false
}

/**
 * About what the tokens of a frame hold in memory: 8 bytes an id, 2 a character. The ids of the prompt do not count: they come once, and
 * a long prompt alone is larger than what a slow reader is allowed.
 */
export function generateFrameBytes(frame: Frame): number {
  const { tokens } = frame
  return tokens ? 8 * (tokens.tokenIds?.length ?? 0) + 2 * (tokens.text?.length ?? 0) : 0
}

function joinTokens(waiting: Frame, next: Tokens): boolean {
  const { tokens } = waiting
  if (!tokens) {
    waiting.tokens = next
    return true
  }
  const ids = tokens.tokenIds ?? []
  if (tokens.epoch !== next.epoch || (tokens.seq ?? 0) + ids.length !== next.seq) return false
  for (const id of next.tokenIds ?? []) ids.push(id)
  tokens.text = `${tokens.text ?? ''}${next.text ?? ''}`
  return true
}
