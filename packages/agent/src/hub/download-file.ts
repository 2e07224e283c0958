import { statfs } from 'node:fs/promises'
import path from 'node:path'
import { type Clock, type Log, ShoalError } from '@shoal/core'
import { cancelled, sleep } from '../time.ts'
import { type Fetch, type HubAddress, hubHeaders, hubRefusal, reasonOf } from './hub.ts'
import { PartFile } from './part-file.ts'

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

const defaultLimits: DownloadLimits = { attempts: 6, unansweredAttempts: 3, firstBackoffMs: 500, backoffMsMax: 30_000, stallMs: 30_000 }

/** How one attempt ended without a final error. */
type Attempt = { readonly kind: 'whole' } | Cut
interface Cut {
  readonly kind: 'cut'
  readonly reason: string
  /** Some answer came. */
  readonly answered: boolean
  readonly retryAfterMs: number | null
}

/**
 * Fetches one file by HTTP into `<path>.part` and renames it when its length and SHA-256 are right. A part left by an earlier run is
 * continued by a Range request; so is a cut connection, with back-off, for as long as attempts bring bytes. A server without Range
 * means starting over. When a continued file has the wrong digest (the part was of another version), it is fetched once more whole.
 * Rejects with DIGEST_MISMATCH (the bytes are removed), DISK_FULL and CANCELLED (the part is kept), DOWNLOAD_FAILED, MODEL_UNKNOWN.
 */
export async function downloadFile(file: DownloadFile, context: DownloadContext): Promise<{ readonly sha256: string }> {
  const first = await fetchWhole(file, context)
  if (first.kind === 'whole') return { sha256: first.sha256 }
  if (first.continued) {
    context.log.warn({ file: file.path }, 'the part of an earlier download does not belong to this file; fetching it whole')
    const second = await fetchWhole(file, context)
    if (second.kind === 'whole') return { sha256: second.sha256 }
  }
  throw new ShoalError({
    code: 'DIGEST_MISMATCH',
    message: `${path.basename(file.path)} arrived with SHA-256 ${first.sha256}, but ${file.sha256 ?? 'another'} was promised.`,
  })
}

type Fetched =
  | { readonly kind: 'whole'; readonly sha256: string }
  | { readonly kind: 'mismatch'; readonly sha256: string; readonly continued: boolean }

async function fetchWhole(file: DownloadFile, context: DownloadContext): Promise<Fetched> {
  if (context.signal.aborted) throw cancelled(`Fetching ${path.basename(file.path)} was cancelled.`)
  await using part = await PartFile.open(file.path, context.signal)
  const bytesBefore = part.bytes
  if (file.bytes !== null && part.bytes > file.bytes) await part.restart()
  await checkSpace(file, part.bytes, file.bytes)
  await fetchWithRetries(file, part, context)
  const sha256 = part.sha256()
  if (file.sha256 !== null && file.sha256 !== sha256) {
    await part.discard()
    return { kind: 'mismatch', sha256, continued: bytesBefore > 0 }
  }
  await part.finish()
  return { kind: 'whole', sha256 }
}

async function fetchWithRetries(file: DownloadFile, part: PartFile, context: DownloadContext): Promise<void> {
  const limits = { ...defaultLimits, ...context.limits }
  let failures = 0
  let answered = false
  while (part.bytes !== file.bytes) {
    const before = part.bytes
    const attempt = await attemptTransfer(file, part, context, limits.stallMs)
    if (attempt.kind === 'whole') return
    answered ||= attempt.answered
    failures = part.bytes > before ? 1 : failures + 1
    if (failures >= (answered ? limits.attempts : limits.unansweredAttempts)) {
      throw new ShoalError({
        code: 'DOWNLOAD_FAILED',
        message: `${path.basename(file.path)} could not be fetched: ${attempt.reason}.`,
      })
    }
    const backoffMs = Math.min(limits.firstBackoffMs * 2 ** (failures - 1), limits.backoffMsMax)
    const delayMs = Math.max(backoffMs, Math.min(attempt.retryAfterMs ?? 0, 2 * limits.backoffMsMax))
    context.log.info({ file: file.path, bytes: part.bytes, reason: attempt.reason, delayMs }, 'download was cut; going on')
    await sleep(context.clock, delayMs, context.signal)
  }
}

async function attemptTransfer(file: DownloadFile, part: PartFile, context: DownloadContext, stallMs: number): Promise<Attempt> {
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

async function checkSpace(file: DownloadFile, presentBytes: number, totalBytes: number | null): Promise<void> {
  if (totalBytes === null) return
  const folder = path.dirname(file.path)
  const disk = await statfs(folder)
  const freeBytes = disk.bavail * disk.bsize
  const missingBytes = totalBytes - presentBytes
  if (missingBytes > freeBytes) {
    throw new ShoalError({
      code: 'DISK_FULL',
      message: `${path.basename(file.path)} needs ${missingBytes} more bytes, but ${folder} has ${freeBytes} free.`,
    })
  }
}

function retryAfterMsOf(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null
}

const cut = (reason: string): Cut => ({ kind: 'cut', reason, answered: true, retryAfterMs: null })

async function* noBytes(): AsyncGenerator<Uint8Array> {
  // Nothing is left to come.
}
