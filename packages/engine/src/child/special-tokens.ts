/** A character of the private use area that marks where text must not be read as one token; never reaches the model. */
const markerFirst = 0xe000
const markerLast = 0xf8ff

export interface ControlText {
  readonly texts: ReadonlySet<string>
  /** Lengths that occur, longest first. */
  readonly lengths: readonly number[]
  readonly firstCharacters: ReadonlySet<string>
  /** Every proper beginning of a text. */
  readonly beginnings: ReadonlySet<string>
}

/** @param texts what the control tokens of a vocabulary look like, for example `<|im_start|>`; some vocabularies have thousands */
export function createControlText(texts: readonly string[]): ControlText {
  const known = new Set(texts.filter((text) => text.length > 1))
  const beginnings = new Set<string>()
  for (const text of known) for (let end = 1; end < text.length; end++) beginnings.add(text.slice(0, end))
  return {
    texts: known,
    lengths: [...new Set([...known].map((text) => text.length))].sort((a, b) => b - a),
    firstCharacters: new Set([...known].map((text) => text.charAt(0))),
    beginnings,
  }
}

/** A marker that occurs in none of the texts; null when they use up the whole private use area. */
export function chooseMarker(texts: readonly string[]): string | null {
  for (let code = markerFirst; code <= markerLast; code++) {
    const marker = String.fromCharCode(code)
    if (texts.every((text) => !text.includes(marker))) return marker
  }
  return null
}

/**
 * Puts the marker inside whatever a vocabulary would read as a control token, and behind an end that could become one together
 * with what a template writes next: what a person types must stay text.
 */
export function markControlText(content: string, control: ControlText, marker: string): string {
  const parts: string[] = []
  let copied = 0
  for (let index = 0; index < content.length; index++) {
    if (!control.firstCharacters.has(content.charAt(index))) continue
    if (!control.lengths.some((length) => control.texts.has(content.slice(index, index + length)))) continue
    // One character on, the rest of it may begin another: the search goes on right there.
    parts.push(content.slice(copied, index + 1), marker)
    copied = index + 1
  }
  parts.push(content.slice(copied))
  const longest = control.lengths[0] ?? 0
  for (let length = Math.min(longest - 1, content.length); length > 0; length--) {
    if (!control.beginnings.has(content.slice(-length))) continue
    parts.push(marker)
    break
  }
  return parts.join('')
}
