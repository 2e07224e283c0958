/**
 * Which words may follow which. `seen[d]` maps a word to the words seen d + 1 places after it. A word may come when the tables of all
 * distances agree: nearly as strict as a chain over triples of words, and each table is one matrix in the model.
 * The empty string stands for everything outside the chain: the prompt before the reply, and the end of the reply.
 */
export interface WordChain {
  /** Without the empty one; a leading space belongs to the word. */
  readonly words: readonly string[]
  readonly seen: readonly ReadonlyMap<string, ReadonlySet<string>>[]
}

export const outside = ''
/** How many words back the chain looks. */
export const chainReach = 3

/** Compiles a script: every sentence of a part may be followed by every sentence of the next part. */
export function createWordChain(script: readonly (readonly string[])[]): WordChain {
  const parts = script.map((sentences, part) => sentences.flatMap(expand).map((text) => splitWords(text, part === 0)))
  const seen = Array.from({ length: chainReach }, () => new Map<string, Set<string>>())
  const learn = (words: readonly string[]): void => {
    for (const [distance, table] of seen.entries()) {
      for (const [index, word] of words.entries()) {
        const follower = words[index + distance + 1]
        if (follower !== undefined) add(table, word, follower)
      }
    }
  }
  for (const [index, sentences] of parts.entries()) {
    const followers = parts[index + 1] ?? [[outside]]
    for (const sentence of sentences) {
      if (index === 0) learn([outside, ...sentence.slice(0, 1)])
      for (const follower of followers) learn([...sentence, ...follower.slice(0, chainReach)])
    }
  }
  const words = new Set(parts.flat(2))
  return { words: [...words].sort(), seen }
}

/** Words that may come after `recent` (the latest last); outside words constrain nothing but the very next place. */
export function followersOf(chain: WordChain, recent: readonly string[]): readonly string[] {
  const current = recent.at(-1) ?? outside
  const candidates = [...(chain.seen[0]?.get(current) ?? [])]
  return candidates.filter((candidate) =>
    chain.seen.every((table, distance) => {
      const earlier = recent.at(-1 - distance) ?? outside
      return distance === 0 || earlier === outside || table.get(earlier)?.has(candidate)
    }),
  )
}

/** `a {b|c} d` -> `a b d`, `a c d`. Braces do not nest. */
function expand(sentence: string): readonly string[] {
  const match = /\{([^}]*)\}/.exec(sentence)
  if (match === null) return [sentence]
  const [braces, choices = ''] = match
  return choices.split('|').flatMap((choice) => expand(sentence.replace(braces, choice)))
}

/** The pieces a GPT-2 pre-tokenizer makes of the sentence, each of which is one word here; only the reply begins without a space. */
function splitWords(sentence: string, isFirst: boolean): readonly string[] {
  return (isFirst ? sentence : ` ${sentence}`).match(/ ?\p{L}+| ?[^\s\p{L}]+/gu) ?? []
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, new Set([value]))
  else values.add(value)
}
