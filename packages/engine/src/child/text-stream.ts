/** Text of token ids as the model's vocabulary writes it; `before` are ids that precede them. Invalid bytes become U+FFFD. */
export type Detokenize = (tokenIds: readonly number[], before: readonly number[]) => string

const replacement = '\uFFFD'
/** After so many held ids, and again after as many more, a place to cut is looked for: decoding what is held costs its length. */
const cutEvery = 8
const contextKept = 3

export interface TextStream {
  /** Takes the next id; returns the text that became final by it, whole characters only, perhaps empty. */
  push(tokenId: number): string
  /** The end: what was still held, an unfinished character as U+FFFD. */
  end(): string
}

/**
 * Turns token ids into text without ever cutting a character: ids of byte-level vocabularies may end inside one.
 *
 * Only the last U+FFFD of the held text can be an unfinished character: decoders write one for each maximal part of a
 * character (Unicode 15, section 3.9, "Substitution of Maximal Subparts"). Everything before it is final.
 */
export function createTextStream(detokenize: Detokenize, before: readonly number[] = []): TextStream {
  let context = before.slice(-contextKept)
  let held: number[] = []
  let emitted = 0

  const settle = (count: number) => {
    context = [...context, ...held.slice(0, count)].slice(-contextKept)
    held = held.slice(count)
    emitted = 0
  }

  return {
    push(tokenId) {
      held.push(tokenId)
      const text = detokenize(held, context)
      if (!text.endsWith(replacement)) {
        const fresh = text.slice(emitted)
        settle(held.length)
        return fresh
      }
      const final = text.slice(emitted, -replacement.length)
      emitted += final.length
      const cut = held.length % cutEvery === 0 ? findCut(detokenize, held, context, text) : null
      if (cut !== null) settle(cut)
      return final
    },
    end() {
      const rest = held.length === 0 ? '' : detokenize(held, context).slice(emitted)
      settle(held.length)
      return rest
    },
  }
}

/**
 * Where the held ids can be parted so that both parts read as the whole did and the second is only the unfinished character. There
 * may be no such place while every id ends inside a character; then holding on is the only way not to break one.
 */
function findCut(detokenize: Detokenize, held: readonly number[], context: readonly number[], text: string): number | null {
  for (let keep = 1; keep <= 3; keep++) {
    const cut = held.length - keep
    const head = detokenize(held.slice(0, cut), context)
    const tail = detokenize(held.slice(cut), [...context, ...held.slice(0, cut)].slice(-contextKept))
    if (tail === replacement && head + tail === text) return cut
  }
  return null
}
