import type { CustomBatchingPrioritizationStrategy } from 'node-llama-cpp'
import type { NativeProgress } from '../messages.ts'

/** A cancelled prefill stops at the next batch boundary, and nobody's next token waits longer than one batch. */
export const batchTargetMs = 100
const batchTokensMin = 8
const slowestKept = 16

export interface BatchPacer {
  /** Passed to the context as its `itemPrioritizationStrategy`: called right before every decode. */
  readonly strategy: CustomBatchingPrioritizationStrategy
  /** Tokens a prefill should hand over at a time. */
  chunkTokens(): number
  /** An evaluation was handed to the context. */
  evaluationQueued(): void
  /** An evaluation came back, with a result or an error. */
  evaluationEnded(): void
  progress(): NativeProgress
}

/**
 * Decides what goes into each decode, and watches decodes from the one public place that sees each begin.
 *
 * A decode has ended when the next one begins, when a result of it comes back, or when nothing is queued any more. Results of
 * the decode before may still be on their way when the next begins; they are those that were queued and are not among its items.
 *
 * @param batchTokensMax what the context was created with
 */
export function createBatchPacer(nowMs: () => number, batchTokensMax: number): BatchPacer {
  let budget = Math.min(batchTokensMax, 32)
  let completedDecodes = 0
  let running: { readonly startedMs: number; readonly tokens: number; readonly hasPrefill: boolean } | null = null
  let outstanding = 0
  let lateResults = 0
  const durationsMs: number[] = []

  const endRunning = () => {
    if (running === null) return
    const tookMs = nowMs() - running.startedMs
    completedDecodes++
    durationsMs.push(tookMs)
    if (durationsMs.length > slowestKept) durationsMs.shift()
    if (running.hasPrefill && running.tokens >= budget / 2) budget = nextBudget({ budget, tokens: running.tokens, tookMs, batchTokensMax })
    running = null
  }

  return {
    strategy({ items, size }) {
      endRunning()
      lateResults = Math.max(0, outstanding - items.length)
      const amounts = planBatch(
        items.map((item) => item.tokens.length),
        { budgetTokens: budget, sizeTokens: size },
      )
      const batch = items.flatMap((item, index) => ((amounts[index] ?? 0) > 0 ? [{ item, processAmount: amounts[index] ?? 0 }] : []))
      running = {
        startedMs: nowMs(),
        tokens: amounts.reduce((sum, amount) => sum + amount, 0),
        hasPrefill: amounts.some((amount) => amount > 1),
      }
      return batch
    },
    chunkTokens: () => budget,
    evaluationQueued() {
      outstanding++
    },
    evaluationEnded() {
      outstanding--
      if (outstanding > 0 && lateResults > 0) lateResults--
      else endRunning()
    },
    progress: () => ({
      completedDecodes,
      runningDecodeAgeMs: running === null ? null : Math.round(nowMs() - running.startedMs),
      slowestDecodeMs: Math.round(Math.max(0, ...durationsMs)),
    }),
  }
}

/**
 * How many tokens of each queued evaluation go into one decode: every single-token step first, then prefills in the order they
 * were queued. Prefills share what the steps leave of the budget, and never less than a few tokens, so that they cannot starve.
 */
export function planBatch(lengths: readonly number[], limits: { readonly budgetTokens: number; readonly sizeTokens: number }): number[] {
  let free = limits.sizeTokens
  const amounts = lengths.map((length) => {
    const amount = length <= 1 ? Math.min(length, free) : 0
    free -= amount
    return amount
  })
  let left = Math.min(free, Math.max(limits.budgetTokens - (limits.sizeTokens - free), batchTokensMin))
  for (const [index, length] of lengths.entries()) {
    if (length <= 1 || left <= 0) continue
    const amount = Math.min(length, left)
    amounts[index] = amount
    left -= amount
  }
  return amounts
}

/** Moves the budget towards what would take `batchTargetMs`; at most doubles or halves it, because one timing is noisy. */
export function nextBudget(last: { budget: number; tokens: number; tookMs: number; batchTokensMax: number }): number {
  const wished = (last.tokens * batchTargetMs) / Math.max(last.tookMs, 0.1)
  const bounded = Math.min(Math.max(wished, last.budget / 2), last.budget * 2)
  return Math.round(Math.min(Math.max(bounded, batchTokensMin), last.batchTokensMax))
}
