import { type GenerateEvent, type InferenceRequest, ShoalError } from '@shoal/core'
import type { NativeProgress, RunEvent } from './messages.ts'

/** Fewer tokens than this say nothing about speed. */
const speedTokensMin = 4

export interface ActiveRun {
  readonly ended: Promise<void>
  handle(event: RunEvent, nowMs: number): void
  heartbeat(progress: NativeProgress): void
  fail(error: unknown): void
  /** Tokens per second between the first and the last frame; null = too few to say. */
  readonly tokensPerSecond: number | null
}

/** One request on its way through a child: numbers its frames and hands them on in order. */
export function createActiveRun(request: InferenceRequest, onEvent: (event: GenerateEvent) => void): ActiveRun {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let seq = 0
  let first: { readonly atMs: number; readonly tokens: number } | null = null
  let lastMs = 0
  let isAccepted = false
  let isOver = false

  const end = (settle: () => void) => {
    if (isOver) return
    isOver = true
    settle()
  }
  const emit = (event: GenerateEvent) => {
    if (isOver) return
    try {
      onEvent(event)
    } catch (error) {
      // The receiver's own failure ends its request, and must not disturb the others of this child.
      end(() => reject(ShoalError.from(error)))
    }
  }

  return {
    ended: promise,
    handle(event, nowMs) {
      switch (event.kind) {
        case 'accepted': {
          isAccepted = true
          const promptTokenIds = Array.from(event.promptTokenIds)
          emit({ kind: 'accepted', promptTokens: promptTokenIds.length, cachedTokens: event.cachedTokens, promptTokenIds })
          break
        }
        case 'tokens':
          emit({ kind: 'tokens', epoch: request.epoch, seq, tokenIds: event.tokenIds, text: event.text })
          seq += event.tokenIds.length
          first ??= { atMs: nowMs, tokens: seq }
          lastMs = nowMs
          break
        case 'finished':
          emit({ kind: 'finished', reason: event.reason, completionTokens: seq })
          end(resolve)
          break
        case 'failed':
          end(() => reject(new ShoalError(event.error)))
      }
    },
    heartbeat({ completedDecodes, runningDecodeAgeMs }) {
      if (isAccepted) emit({ kind: 'heartbeat', completedDecodes, runningDecodeAgeMs })
    },
    fail: (error) => end(() => reject(ShoalError.from(error))),
    get tokensPerSecond() {
      if (first === null || seq - first.tokens < speedTokensMin || lastMs <= first.atMs) return null
      return ((seq - first.tokens) * 1000) / (lastMs - first.atMs)
    },
  }
}
