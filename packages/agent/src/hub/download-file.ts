import path from 'node:path'
import { ShoalError } from '@shoal/core'
import { cancelled, sleep } from '../time.ts'
import { checkSpace } from './disk-space.ts'
import { PartFile } from './part-file.ts'
import { attemptTransfer, type DownloadContext, type DownloadFile, type DownloadLimits } from './transfer.ts'

const defaultLimits: DownloadLimits = { attempts: 6, unansweredAttempts: 3, firstBackoffMs: 500, backoffMsMax: 30_000, stallMs: 30_000 }

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
