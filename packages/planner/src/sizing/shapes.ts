import type { LoadShape } from './memory-terms.ts'

/** Asked for where nobody says otherwise. */
export const shapeDefault: LoadShape = { contextTokens: 8192, slots: 4 }

const contextTokensMin = 4096

/**
 * Shapes in the order they are given up: first slots (4, 2, 1), then context (halved down to 4096). A better model with fewer slots comes
 * before a worse one with all of them: requests queue, but answers do not get better by waiting.
 */
export function shapesToTry(wanted: LoadShape, contextTokensTrained: number | null): readonly LoadShape[] {
  const shapes: LoadShape[] = []
  let contextTokens = Math.min(wanted.contextTokens, contextTokensTrained ?? wanted.contextTokens)
  for (;;) {
    for (let slots = wanted.slots; slots >= 1; slots = Math.floor(slots / 2)) shapes.push({ contextTokens, slots })
    if (contextTokens <= contextTokensMin) return shapes
    contextTokens = Math.max(contextTokensMin, Math.floor(contextTokens / 2))
  }
}
