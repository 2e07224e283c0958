import type { GenerateEvent } from '@shoal/core'
import type { GenerateResponse as Wire, GenerateResponse__Output as WireRead } from '../generated/shoal/v1/GenerateResponse.ts'
import { finiteOrNull, invalidField, parseInteger, parseOneOf } from './parse.ts'

const finishReasons = ['stop', 'length'] as const

export function encodeGenerateEvent(event: GenerateEvent): Wire {
  switch (event.kind) {
    case 'accepted':
      return {
        accepted: { promptTokens: event.promptTokens, cachedTokens: event.cachedTokens, promptTokenIds: [...event.promptTokenIds] },
      }
    case 'tokens':
      return { tokens: { epoch: event.epoch, seq: event.seq, tokenIds: [...event.tokenIds], text: event.text } }
    case 'heartbeat':
      return {
        heartbeat:
          event.runningDecodeAgeMs === null
            ? { completedDecodes: event.completedDecodes }
            : { completedDecodes: event.completedDecodes, runningDecodeAgeMs: event.runningDecodeAgeMs },
      }
    case 'finished':
      return { finished: { reason: event.reason, completionTokens: event.completionTokens } }
  }
}

/** Calls `onEvent` for each event of one frame, in the order they happened. */
export function readGenerateEvents(wire: WireRead, onEvent: (event: GenerateEvent) => void): void {
  const { accepted, tokens, heartbeat, finished } = wire
  if (!(tokens || accepted || heartbeat || finished)) throw invalidField('event', 'is missing or unknown')
  if (accepted) {
    onEvent({
      kind: 'accepted',
      promptTokens: accepted.promptTokens,
      cachedTokens: accepted.cachedTokens,
      promptTokenIds: accepted.promptTokenIds,
    })
  }
  if (tokens) onEvent({ kind: 'tokens', epoch: tokens.epoch, seq: tokens.seq, tokenIds: tokens.tokenIds, text: tokens.text })
  if (heartbeat) {
    onEvent({
      kind: 'heartbeat',
      completedDecodes: parseInteger(heartbeat.completedDecodes, 'heartbeat.completed_decodes'),
      runningDecodeAgeMs: finiteOrNull(heartbeat.runningDecodeAgeMs, 'heartbeat.running_decode_age_ms'),
    })
  }
  if (finished) {
    onEvent({
      kind: 'finished',
      reason: parseOneOf(finished.reason, finishReasons, 'finished.reason'),
      completionTokens: finished.completionTokens,
    })
  }
}
