import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '@shoal/core'

/** What the figure depends on: another value here means another measurement. */
export interface BandwidthKey {
  readonly model: string | null
  readonly totalBytes: number
  readonly usableCores: number
}

/** Raised when the method changes, so that figures of an older one are not mixed in. */
const methodVersion = 1

export interface StoredBandwidth {
  readonly bytesPerSecond: number
  /** Measurements on idle cores among those it is the best of. */
  readonly runs: number
}

/** Null when nothing is stored for this machine or the file cannot be used: the figure is measured again and nothing is lost. */
export async function readBandwidthCache(file: string, key: BandwidthKey): Promise<StoredBandwidth | null> {
  try {
    const stored: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof stored !== 'object' || stored === null || !('key' in stored) || stored.key !== textOf(key)) return null
    const bytesPerSecond = 'bytesPerSecond' in stored ? stored.bytesPerSecond : null
    const runs = 'runs' in stored ? stored.runs : null
    return isCount(bytesPerSecond) && bytesPerSecond > 0 && isCount(runs) ? { bytesPerSecond, runs } : null
  } catch {
    return null
  }
}

/** Keeps the figure; failing to is a warning, not an error: it is measured again next time. */
export async function writeBandwidthCache(
  file: string,
  key: BandwidthKey,
  { stored, log }: { stored: StoredBandwidth; log: Log },
): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(temporary, `${JSON.stringify({ key: textOf(key), ...stored })}\n`, {
      mode: 0o600,
      flag: 'wx',
    })
    await rename(temporary, file)
  } catch (err) {
    await rm(temporary, { force: true }).catch(() => undefined)
    log.warn({ file, err }, 'cannot keep the measured memory bandwidth; it will be measured again at the next start')
  }
}

function textOf({ model, totalBytes, usableCores }: BandwidthKey): string {
  return JSON.stringify([methodVersion, model, totalBytes, usableCores])
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
