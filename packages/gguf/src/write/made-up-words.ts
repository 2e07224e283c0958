const consonants = ['b', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z']
const vowels = ['a', 'e', 'i', 'o', 'u']
const syllables = consonants.flatMap((consonant) => vowels.map((vowel) => consonant + vowel))

/** A few real words of several bytes a letter, so that text beyond ASCII is among the tokens. */
const foreign = [' über', ' été', ' øre', ' вода', ' λόγος', ' 魚', ' 群れ', ' 🐟']

/** Distinct pronounceable words with a leading space, without end: two syllables, then three, and so on. */
export function* madeUpWords(): Generator<string> {
  yield* foreign
  for (let index = 0; ; index += 1) {
    // Counting in base 75 with a stride coprime to it mixes the first syllables early.
    let rest = index
    let word = ''
    do {
      word += syllables[(rest * 31) % syllables.length] ?? ''
      rest = Math.floor(rest / syllables.length)
    } while (rest > 0)
    yield ` ${word}${syllables[(index * 17) % syllables.length] ?? ''}`
  }
}
