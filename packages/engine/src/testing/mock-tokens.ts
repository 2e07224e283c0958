import type { ChatMessage } from '@shoal/core'

export interface MockToken {
  readonly tokenId: number
  readonly text: string
}

/** Words of one to four bytes per character, so that a cut in the wrong place shows. */
const words = [
  ...['the ', 'shoal ', 'turns ', 'as ', 'one ', 'and ', 'nobody ', 'leads ', 'it, ', 'silver ', 'in ', 'deep ', 'water. '],
  ...['größer ', 'déjà ', 'naïve ', '魚 ', '群れ ', 'рыба ', '🐟', '🐠 ', '👩‍🚀 ', '\n'],
] as const
const firstTokenId = 1000

/** FNV-1a over the UTF-16 units (http://www.isthe.com/chongo/tech/comp/fnv/), 32 bits. */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** One number for a whole conversation: what its answer depends on. */
export function hashMessages(messages: readonly ChatMessage[]): number {
  return messages.reduce((hash, { role, content }) => hashText(content, hashText(role, hash)), 0x811c9dc5)
}

/** Token k of the answer to a conversation: a function of both and of nothing else, so that any node can continue it. */
export function mockToken(messagesHash: number, k: number): MockToken {
  const mixed = Math.imul(messagesHash ^ Math.imul(k + 1, 0x9e3779b1), 0x85ebca6b) >>> 0
  const index = (mixed >>> 8) % words.length
  return { tokenId: firstTokenId + index, text: words[index] ?? '' }
}

/** The first `count` tokens of an answer as one text: what a client must have received. */
export function mockAnswer(messages: readonly ChatMessage[], count: number): string {
  const hash = hashMessages(messages)
  return Array.from({ length: count }, (_, k) => mockToken(hash, k).text).join('')
}

/** One id per four characters and a few per message: a prompt's length follows its text. */
export function mockPromptTokenIds(messages: readonly ChatMessage[]): number[] {
  const ids: number[] = []
  for (const { role, content } of messages) {
    ids.push(hashText(role) % 1000, 1, 2)
    for (let start = 0; start < content.length; start += 4) ids.push(hashText(content.slice(start, start + 4)) % 100_000)
  }
  ids.push(3)
  return ids
}
