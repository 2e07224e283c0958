import type { Deployment, NodeModelState } from '@shoal/core'

/** The part of a wish that a loaded model either has or must be loaded anew for; null = any. */
export type WishedShape = Pick<Deployment, 'contextTokens' | 'slots'>

type LoadedShape = Pick<NodeModelState, 'contextTokens' | 'slotsTotal'>

/** llama.cpp rounds a context up to a multiple of this, and an engine may report either number. */
const contextTokensStep = 256

/**
 * What a loaded model has otherwise than wished, as a sentence's middle; null when it is what was wished for. Nodes cut a context to what the
 * model was trained for (`contextTokensTrained`, null = unknown), so the wish is cut alike.
 */
export function shapeDifference(wished: WishedShape, loaded: LoadedShape, contextTokensTrained: number | null): string | null {
  const { slots } = wished
  const tokens = wished.contextTokens === null ? null : Math.min(wished.contextTokens, contextTokensTrained ?? wished.contextTokens)
  if (tokens !== null && (loaded.contextTokens < tokens || loaded.contextTokens >= tokens + contextTokensStep)) {
    return `${loaded.contextTokens} tokens of context, not ${tokens}`
  }
  return slots === null || loaded.slotsTotal === slots ? null : `${loaded.slotsTotal} slots, not ${slots}`
}

/**
 * The same for the outcome of a load that asked for exactly this wish: the node knows best what the model was trained for, and what its
 * engine rounds up to.
 */
export function outcomeDifference(wished: WishedShape, loaded: LoadedShape, contextTokensTrained: number | null): string | null {
  const tokensLeast = contextTokensTrained === null ? 0 : Math.min(wished.contextTokens ?? 0, contextTokensTrained)
  const contextTokens = loaded.contextTokens < tokensLeast ? wished.contextTokens : null
  return shapeDifference({ contextTokens, slots: wished.slots }, loaded, contextTokensTrained)
}

/** What people are told when a wish goes beyond the model; null when it does not, or nobody knows. */
export function explainCut({ contextTokens }: WishedShape, contextTokensTrained: number | null): string | null {
  if (contextTokens === null || contextTokensTrained === null || contextTokens <= contextTokensTrained) return null
  return `The model was trained for ${contextTokensTrained} tokens of context, so it is loaded with these and not with ${contextTokens}.`
}
