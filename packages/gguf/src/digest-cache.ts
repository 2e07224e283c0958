import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Sha256Options, sha256File } from './sha256-file.ts'

/** Remembers SHA-256 digests of large files between starts. */
export interface DigestCache {
  /** The digest if it was computed before and the file has kept its size and time of change; else null. Never reads the file. */
  known(path: string): Promise<string | null>
  /** The known digest, or computes and remembers it. Fails as `sha256File`. */
  digestOf(path: string, options?: Sha256Options): Promise<string>
}

interface Entry {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly sha256: string
}
type Entries = Readonly<Record<string, Entry>>

/**
 * Keeps the digests in one JSON file. Whoever can write that file can forge them: keep it where only this user writes, and hash again
 * what came from elsewhere. A file that is absent or damaged counts as empty: the digests are computed again.
 */
export function createDigestCache(cachePath: string): DigestCache {
  let lastWrite: Promise<void> = Promise.resolve()

  const remember = async (path: string, entry: Entry): Promise<void> => {
    // Read again right before writing: another process may have added its own.
    const entries: Entries = { ...(await readEntries(cachePath)), [path]: entry }
    const partial = `${cachePath}.${randomUUID()}.part`
    await mkdir(dirname(cachePath), { recursive: true })
    await writeFile(partial, JSON.stringify(entries, null, 1), { mode: 0o600 })
    await rename(partial, cachePath)
  }

  const known = async (path: string): Promise<string | null> => {
    const entry = (await readEntries(cachePath))[resolve(path)]
    if (entry === undefined) return null
    const now = await fingerprint(path)
    return now !== null && now.sizeBytes === entry.sizeBytes && now.modifiedMs === entry.modifiedMs ? entry.sha256 : null
  }

  return {
    known,
    async digestOf(path, options) {
      const before = await known(path)
      if (before !== null) return before
      const atStart = await fingerprint(path)
      const sha256 = await sha256File(path, options)
      const atEnd = await fingerprint(path)
      const isUnchanged = atStart !== null && atStart.sizeBytes === atEnd?.sizeBytes && atStart.modifiedMs === atEnd.modifiedMs
      if (isUnchanged) {
        // The digest stands whether or not it can be remembered.
        lastWrite = lastWrite.then(() => remember(resolve(path), { ...atStart, sha256 })).catch(() => undefined)
        await lastWrite
      }
      return sha256
    },
  }
}

async function fingerprint(path: string): Promise<Pick<Entry, 'sizeBytes' | 'modifiedMs'> | null> {
  const status = await stat(path).catch(() => null)
  return status === null ? null : { sizeBytes: status.size, modifiedMs: status.mtimeMs }
}

async function readEntries(cachePath: string): Promise<Entries> {
  const text = await readFile(cachePath, 'utf8').catch(() => '{}')
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null) return {}
    return Object.fromEntries(Object.entries(parsed).filter(([, entry]) => isEntry(entry)))
  } catch {
    return {}
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false
  const { sizeBytes, modifiedMs, sha256 } = value as Partial<Record<keyof Entry, unknown>>
  return typeof sizeBytes === 'number' && typeof modifiedMs === 'number' && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)
}
