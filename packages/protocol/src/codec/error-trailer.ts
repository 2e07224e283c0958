import { type ErrorCode, isErrorCode, ShoalError, type ShoalErrorFacts } from '@shoal/core'

/** Name of the trailing metadata that carries the error itself; the suffix tells gRPC that the value is bytes. */
export const errorTrailerKey = 'shoal-error-bin'

/** HTTP/2 peers refuse large header blocks; a message for people never needs more. */
const trailerBytesMax = 4096
const textLengthMax = 1024

interface TrailerBody {
  code: ErrorCode
  message: string
  remedy: string
  param?: string
  retryAfterMs?: number
}

/** All that a ShoalError says except its cause, as JSON of at most 4 KiB. Longer texts are cut. */
export function encodeErrorTrailer(error: ShoalError): Buffer {
  const bytes = encodeBody(error, textLengthMax)
  return bytes.byteLength <= trailerBytesMax ? bytes : encodeBody(error, textLengthMax / 8)
}

/** Null when the bytes are not an error of this vocabulary: the caller then falls back on the gRPC status. */
export function decodeErrorTrailer(bytes: Buffer): ShoalError | null {
  if (bytes.byteLength > trailerBytesMax) return null
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
  if (typeof body !== 'object' || body === null) return null
  const { code, message, remedy, param, retryAfterMs } = body as Record<string, unknown>
  if (!isErrorCode(code) || typeof message !== 'string') return null
  const facts: { -readonly [Key in keyof ShoalErrorFacts]: ShoalErrorFacts[Key] } = { code, message }
  if (typeof remedy === 'string') facts.remedy = remedy
  if (typeof param === 'string') facts.param = param
  if (typeof retryAfterMs === 'number' && retryAfterMs >= 0) facts.retryAfterMs = retryAfterMs
  return new ShoalError(facts)
}

function encodeBody(error: ShoalError, lengthMax: number): Buffer {
  const body: TrailerBody = { code: error.code, message: cut(error.message, lengthMax), remedy: cut(error.remedy, lengthMax) }
  if (error.param !== null) body.param = cut(error.param, lengthMax)
  if (error.retryAfterMs !== null) body.retryAfterMs = error.retryAfterMs
  return Buffer.from(JSON.stringify(body))
}

/** Half a surrogate pair, cut or sent, cannot travel as UTF-8 nor in `grpc-message`. */
export const cut = (text: string, lengthMax: number): string => text.slice(0, lengthMax).toWellFormed()
