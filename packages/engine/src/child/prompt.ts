import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ChatMessage, ShoalError } from '@shoal/core'
import type { PromptTemplate } from './prompt-template.ts'
import { type ControlText, chooseMarker, markControlText } from './special-tokens.ts'

export interface Vocabulary {
  /** Ids of a text, in which control tokens are recognised. `continued`: the text goes on from other text. */
  tokenize(text: string, continued: boolean): number[]
  readonly control: ControlText
  /** Put first unless the rendered text already begins with it; null = the model wants none. */
  readonly bosTokenId: number | null
}

export interface Prompt {
  readonly tokenIds: readonly number[]
  /**
   * How many of them the next turn of this conversation will very likely begin with: all before the template's invitation to
   * answer, which is rewritten once there is an answer.
   */
  readonly stableTokens: number
}

/** Longer messages are counted piece by piece first, so that the event loop is never blocked for long. */
const countPieceChars = 65_536

/**
 * Renders and tokenises messages.
 *
 * Rejects with CONTEXT_LENGTH_EXCEEDED when they leave no room for one token of answer, INVALID_REQUEST when the template refuses them.
 */
export async function createPrompt(
  request: { readonly messages: readonly ChatMessage[]; readonly thinking: boolean },
  model: { readonly template: PromptTemplate; readonly vocabulary: Vocabulary; readonly contextTokens: number },
): Promise<Prompt> {
  const { template, vocabulary, contextTokens } = model
  await refuseTooLong(request.messages, vocabulary, contextTokens)
  const marker = chooseMarker(request.messages.map((message) => message.content))
  if (marker === null)
    throw new ShoalError({ code: 'INVALID_REQUEST', message: 'The messages use every private use character.', param: 'messages' })
  const messages = request.messages.map(({ role, content }) => ({ role, content: markControlText(content, vocabulary.control, marker) }))
  const render = (addGenerationPrompt: boolean) => template({ messages, thinking: request.thinking, addGenerationPrompt })
  const text = render(true)
  const tokenIds = tokenizeMarked(text, vocabulary, marker)
  if (tokenIds.length >= contextTokens) throw contextLengthExceeded(tokenIds.length, contextTokens, 'has')
  return { tokenIds, stableTokens: countStable(text, render, { tokenIds, vocabulary, marker }) }
}

function tokenizeMarked(text: string, vocabulary: Vocabulary, marker: string): number[] {
  const tokenIds: number[] = []
  for (const [index, part] of text.split(marker).entries()) {
    for (const tokenId of vocabulary.tokenize(part, index > 0)) tokenIds.push(tokenId)
  }
  const bos = vocabulary.bosTokenId
  return bos === null || tokenIds[0] === bos ? tokenIds : [bos, ...tokenIds]
}

/** The template may refuse to render without the invitation to answer; then nothing is known to be stable. */
function countStable(
  text: string,
  render: (addGenerationPrompt: boolean) => string,
  prompt: { readonly tokenIds: readonly number[]; readonly vocabulary: Vocabulary; readonly marker: string },
): number {
  try {
    const without = render(false)
    let same = 0
    while (same < without.length && without[same] === text[same]) same++
    // Tokenising the invitation alone tells how many ids it is; where ids would straddle the border, fewer are stable.
    const invitation = tokenizeMarked(text.slice(same), { ...prompt.vocabulary, bosTokenId: null }, prompt.marker).length
    return Math.max(0, prompt.tokenIds.length - invitation)
  } catch {
    return 0
  }
}

/** Refuses what is far too long before it is copied, rendered and tokenised as a whole. */
async function refuseTooLong(messages: readonly ChatMessage[], vocabulary: Vocabulary, contextTokens: number): Promise<void> {
  if (messages.reduce((sum, message) => sum + message.content.length, 0) <= countPieceChars) return
  let counted = 0
  for (const { content } of messages) {
    for (let start = 0; start < content.length; start += countPieceChars) {
      counted += vocabulary.tokenize(content.slice(start, start + countPieceChars), true).length
      // Cutting text adds at most a few ids per cut.
      if (counted > contextTokens * 1.05 + 64) throw contextLengthExceeded(counted, contextTokens, 'has at least')
      await nextTurn()
    }
  }
}

function contextLengthExceeded(promptTokens: number, contextTokens: number, verb: string): ShoalError {
  return new ShoalError({
    code: 'CONTEXT_LENGTH_EXCEEDED',
    message: `The prompt ${verb} ${promptTokens} tokens; the context of this model holds ${contextTokens}, answer included.`,
    param: 'messages',
  })
}
