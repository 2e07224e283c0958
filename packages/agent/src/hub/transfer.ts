import path from 'node:path'
import { type Clock, type Log, ShoalError } from '@shoal/core'
import { cancelled } from '../time.ts'
import { checkSpace } from './disk-space.ts'
import { type Fetch, type HubAddress, hubHeaders, hubRefusal, reasonOf } from './hub.ts'
import type { PartFile } from './part-file.ts'

export interface DownloadFile {
  readonly url: string
  /** Absolute path of the finished file. */
  readonly path: string
  /** Exact size and SHA-256 in hex; null = not known before. */
  readonly bytes: number | null
  readonly sha256: string | null
}

export interface DownloadContext {
  readonly address: HubAddress
  readonly fetch: Fetch
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  readonly onBytes: (bytes: number, totalBytes: number | null) => void
  readonly limits?: Partial<DownloadLimits>
}

export interface DownloadLimits {
  /** Attempts in a row that bring no byte. */
  readonly attempts: number
  /** The same while nothing at all has answered yet: a machine without a network should hear of it soon. */
  readonly unansweredAttempts: number
  readonly firstBackoffMs: number
  readonly backoffMsMax: number
  /** An attempt without a byte for so long is given up. */
  readonly stallMs: number
}

/** How one attempt ended without a final error. */
export type Attempt = { readonly kind: 'whole' } | Cut
interface Cut {
  readonly kind: 'cut'
  readonly reason: string
  /** Some answer came. */
  readonly answered: boolean
  readonly retryAfterMs: number | null
}

/** One request for what is missing of a file, appended to its part as it comes. Rejects with what another attempt would not change. */
export async function attemptTransfer(file: DownloadFile, part: PartFile, context: DownloadContext, stallMs: number): Promise<Attempt> {
  const stalled = new AbortController()
  const watchStall = () => context.clock.after(stallMs, () => stalled.abort())
  let cancelStall = watchStall()
  let answered = false
  try {
    const response = await context.fetch(file.url, {
      headers: {
        ...hubHeaders(context.address),
        // Compression would make byte ranges mean something else.
        'accept-encoding': 'identity',
        ...(part.bytes > 0 ? { range: `bytes=${part.bytes}-` } : {}),
      },
      signal: AbortSignal.any([context.signal, stalled.signal]),
    })
    answered = true
    const opening = await openBody(response, file, part, context)
    if (opening.kind === 'cut') return opening
    for await (const chunk of opening.body) {
      cancelStall()
      cancelStall = watchStall()
      await part.append(chunk)
      context.onBytes(part.bytes, opening.totalBytes)
      if (opening.totalBytes !== null && part.bytes > opening.totalBytes) break
    }
    return judgeEnd(part, opening.totalBytes)
  } catch (error) {
    if (error instanceof ShoalError) throw error
    if (context.signal.aborted) throw cancelled(`Fetching ${path.basename(file.path)} was cancelled.`)
    return { ...cut(stalled.signal.aborted ? `no byte came for ${stallMs / 1000} s` : reasonOf(error)), answered }
  } finally {
    cancelStall()
  }
}

type Opening = { readonly kind: 'open'; readonly body: AsyncIterable<Uint8Array>; readonly totalBytes: number | null } | Cut

/** Reads status and headers; puts the part in the state that fits what the server is about to send. */
async function openBody(response: Response, file: DownloadFile, part: PartFile, context: DownloadContext): Promise<Opening> {
  const refuse = () => response.body?.cancel()
  if (response.status === 416) {
    // The part is longer than the file, or as long as a file whose size was not known.
    await refuse()
    const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
    if (total === undefined || Number(total) !== part.bytes) await part.restart()
    else return { kind: 'open', body: noBytes(), totalBytes: part.bytes }
    return cut('the part did not belong to the file')
  }
  if (response.status === 429 || response.status === 408 || response.status >= 500) {
    await refuse()
    return { kind: 'cut', answered: true, reason: `the hub answered ${response.status}`, retryAfterMs: retryAfterMsOf(response) }
  }
  if (!response.ok || response.body === null) {
    await refuse()
    throw hubRefusal(response, path.basename(file.path), context.address)
  }
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '')
    if (range === null || Number(range[1]) !== part.bytes) {
      await refuse()
      await part.restart()
      return cut('the server sent another range than was asked for')
    }
    return await openSized(response, file, part, range[2] === '*' ? null : Number(range[2]))
  }
  if (part.bytes > 0) await part.restart()
  const length = response.headers.get('content-length')
  return await openSized(response, file, part, length === null ? null : Number(length))
}

async function openSized(response: Response, file: DownloadFile, part: PartFile, announced: number | null): Promise<Opening> {
  const { body } = response
  if (file.bytes !== null && announced !== null && announced !== file.bytes) {
    await body?.cancel()
    throw new ShoalError({
      code: 'DIGEST_MISMATCH',
      message: `${path.basename(file.path)} has ${announced} bytes at the hub, but ${file.bytes} were promised.`,
      remedy: 'The file at the hub was changed; choose another quantisation or revision.',
    })
  }
  const totalBytes = file.bytes ?? announced
  if (file.bytes === null) await checkSpace(file, part.bytes, totalBytes)
  return { kind: 'open', body: body ?? noBytes(), totalBytes }
}

function judgeEnd(part: PartFile, totalBytes: number | null): Attempt {
  if (totalBytes === null || part.bytes === totalBytes) return { kind: 'whole' }
  // A body longer than announced ends as a digest mismatch or, without a digest, here.
  if (part.bytes > totalBytes) {
    throw new ShoalError({
      code: 'DIGEST_MISMATCH',
      message: `${path.basename(part.finalPath)} is longer than the ${totalBytes} bytes announced.`,
    })
  }
  return cut(`the connection ended after ${part.bytes} of ${totalBytes} bytes`)
}

function retryAfterMsOf(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null
}

const cut = (reason: string): Cut => ({ kind: 'cut', reason, answered: true, retryAfterMs: null })

async function* noBytes(): AsyncGenerator<Uint8Array> {
  // Nothing is left to come.
}
