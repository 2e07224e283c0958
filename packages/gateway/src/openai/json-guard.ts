import { ShoalError } from '@shoal/core'

export interface JsonLimits {
  /** Arrays and objects within each other. */
  readonly depth: number
  /** Values, counted by the commas, colons and opening brackets outside strings. */
  readonly nodes: number
}

/** A conversation of 4096 messages with parts and a hundred tool schemas stays well below. */
export const defaultJsonLimits: JsonLimits = { depth: 64, nodes: 200_000 }

const quote = 0x22
const backslash = 0x5c

/**
 * Refuses JSON whose parsing would cost far more than its bytes suggest, before it is parsed: 15 MB of `{}` block the process for
 * two seconds, and a hundred thousand levels crash what walks the result. One pass, strings skipped by a native search; says nothing
 * about validity, that is the parser's part.
 */
export function guardJson(body: Uint8Array, limits: JsonLimits = defaultJsonLimits): void {
  let depth = 0
  let nodes = 0
  for (let at = 0; at < body.length; at++) {
    switch (body[at]) {
      case quote:
        at = endOfString(body, at)
        break
      case 0x7b: // {
      case 0x5b: // [
        depth++
        nodes++
        if (depth > limits.depth) throw tooComplex(`is nested deeper than ${limits.depth} levels`)
        break
      case 0x7d: // }
      case 0x5d: // ]
        depth--
        break
      case 0x2c: // ,
      case 0x3a: // :
        nodes++
        break
    }
    if (nodes > limits.nodes) throw tooComplex(`has more than ${limits.nodes} values`)
  }
}

/** Index of the closing quote of the string that opens at `open`; the end of the body when there is none. */
function endOfString(body: Uint8Array, open: number): number {
  for (let at = body.indexOf(quote, open + 1); at !== -1; at = body.indexOf(quote, at + 1)) {
    let slashes = 0
    while (body[at - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return at
  }
  return body.length
}

function tooComplex(what: string): ShoalError {
  return new ShoalError({ code: 'INVALID_REQUEST', message: `The JSON body ${what}.`, remedy: 'Send a simpler body.' })
}
