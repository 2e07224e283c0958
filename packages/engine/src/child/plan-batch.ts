/** A cancelled prefill stops at the next batch boundary, and nobody's next token waits longer than one batch. */
export const batchTargetMs = 100
const batchTokensMin = 8

/**
 * How many tokens of each waiting evaluation go into one decode: every single-token step first, then prefills in the order they
 * came. Prefills share what the steps leave of the budget, and never less than a few tokens, so that they cannot starve.
 */
export function planBatch(wanted: readonly number[], limits: { readonly budgetTokens: number; readonly sizeTokens: number }): number[] {
  let free = limits.sizeTokens
  const granted = wanted.map((tokens) => {
    const amount = tokens <= 1 ? Math.min(tokens, free) : 0
    free -= amount
    return amount
  })
  let left = Math.min(free, Math.max(limits.budgetTokens - (limits.sizeTokens - free), batchTokensMin))
  for (const [index, tokens] of wanted.entries()) {
    if (tokens <= 1 || left <= 0) continue
    const amount = Math.min(tokens, left)
    granted[index] = amount
    left -= amount
  }
  return granted
}

export interface LastBatch {
  readonly budgetTokens: number
  readonly tokens: number
  readonly tookMs: number
  readonly sizeTokens: number
}

/** Moves the budget towards what would take `batchTargetMs`; at most doubles or halves it, because one timing is noisy. */
export function nextBudget(last: LastBatch): number {
  const wished = (last.tokens * batchTargetMs) / Math.max(last.tookMs, 0.1)
  const bounded = Math.min(Math.max(wished, last.budgetTokens / 2), last.budgetTokens * 2)
  return Math.round(Math.min(Math.max(bounded, batchTokensMin), last.sizeTokens))
}
