import { ShoalError } from '@shoal/core'
import type { HttpContext } from '../http-env.ts'
import { guardJson } from './json-guard.ts'

/** Images and long documents travel inside the JSON. */
export const bodyBytesMaxDefault = 32 * 1024 * 1024

/**
 * Body of a request as JSON. Checked before the work it would cost: content type and encoding, length (as announced and as it arrives), UTF-8,
 * nesting and number of values. Rejects with UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, INVALID_JSON, INVALID_REQUEST or CANCELLED.
 */
export async function readJsonBody(context: HttpContext, bytesMax: number): Promise<unknown> {
  const { req } = context
  const contentType = req.header('content-type')
  if (contentType === undefined || !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)) {
    throw new ShoalError({
      code: 'UNSUPPORTED_MEDIA_TYPE',
      message: contentType === undefined ? 'The request names no content type.' : `The content type ${shorten(contentType)} is not JSON.`,
    })
  }
  const encoding = req.header('content-encoding')?.trim().toLowerCase() ?? ''
  if (encoding !== '' && encoding !== 'identity') {
    throw new ShoalError({
      code: 'UNSUPPORTED_MEDIA_TYPE',
      message: `The content encoding ${shorten(encoding)} cannot be read here.`,
      remedy: 'Send the body as it is, without compression.',
    })
  }
  return parseJsonBytes(await readBytes(req.raw, bytesMax))
}

/** Bytes of a JSON text -> value; throws INVALID_JSON or INVALID_REQUEST. */
export function parseJsonBytes(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new ShoalError({ code: 'INVALID_JSON', message: 'The request body is empty.' })
  guardJson(bytes)
  let text: string
  try {
    // A decoder that is not fatal would replace broken bytes silently, and the prompt would not be what was sent.
    // A byte order mark at the start goes: editors and shells of Windows write one before what is valid JSON (RFC 8259 allows to ignore it).
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ShoalError({ code: 'INVALID_JSON', message: 'The request body is not valid UTF-8.', cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    // The parser's own message quotes the text around the mistake, which may be a prompt.
    const position = /position (\d+)/.exec(cause instanceof Error ? cause.message : '')?.[1]
    const where = position === undefined ? '' : ` (character ${position})`
    throw new ShoalError({ code: 'INVALID_JSON', message: `The request body is not valid JSON${where}.`, cause })
  }
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const announced = request.headers.get('content-length')
  if (announced !== null && Number(announced) > bytesMax) throw tooLarge(bytesMax)
  try {
    // Node's parser never delivers more than an announced length, so the body may be taken in one piece.
    if (announced !== null && request.headers.get('transfer-encoding') === null) return new Uint8Array(await request.arrayBuffer())
    return await readBounded(request.body, bytesMax)
  } catch (thrown) {
    if (thrown instanceof ShoalError) throw thrown
    throw new ShoalError({ code: 'CANCELLED', message: 'The client went away before its request was complete.', cause: thrown })
  }
}

async function readBounded(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Uint8Array> {
  if (body === null) return new Uint8Array()
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    length += piece.length
    if (length > bytesMax) throw tooLarge(bytesMax)
    pieces.push(piece)
  }
  return Buffer.concat(pieces, length)
}

function tooLarge(bytesMax: number): ShoalError {
  return new ShoalError({ code: 'BODY_TOO_LARGE', message: `The request body is larger than ${bytesMax} bytes.` })
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}
