/** A character of the private use area that marks where text must not be read as one token; never reaches the model. */
const markerFirst = 0xe000
const markerLast = 0xf8ff

export interface ControlText {
  /** Matches the text of any control token of the vocabulary; null when it has none. */
  readonly pattern: RegExp | null
  /** Every proper beginning of such a text. */
  readonly beginnings: ReadonlySet<string>
  readonly longest: number
}

/** @param texts what the control tokens of a vocabulary look like, for example `<|im_start|>` */
export function createControlText(texts: readonly string[]): ControlText {
  const known = [...new Set(texts)].filter((text) => text.length > 1).sort((a, b) => b.length - a.length)
  const beginnings = new Set<string>()
  for (const text of known) for (let end = 1; end < text.length; end++) beginnings.add(text.slice(0, end))
  const pattern = known.length === 0 ? null : new RegExp(known.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g')
  return { pattern, beginnings, longest: known[0]?.length ?? 0 }
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
  if (control.pattern === null) return content
  const inside = content.replace(control.pattern, (found) => found.slice(0, 1) + marker + found.slice(1))
  for (let length = Math.min(control.longest - 1, inside.length); length > 0; length--) {
    if (control.beginnings.has(inside.slice(-length))) return inside + marker
  }
  return inside
}
