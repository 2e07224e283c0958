import type { Random } from '@shoal/core'

const firstMs = 100
const youngMaxMs = 1000
const oldMaxMs = 10_000
/** So long after the node was last seen it is expected back at any moment. */
const youngForMs = 5 * 60_000

/**
 * Pause before the next attempt to reach a node: 100 ms, doubling, at most 1 s while it is young (last seen, or named, within five
 * minutes) and 10 s afterwards; times a random factor of 0.5 to 1, so that many do not come at once.
 */
export function sizeBackOffMs(facts: { readonly failures: number; readonly ageMs: number; readonly random: Random }): number {
  const maxMs = facts.ageMs < youngForMs ? youngMaxMs : oldMaxMs
  const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(16, Math.max(0, facts.failures - 1)))
  return fullMs * (0.5 + facts.random() / 2)
}
