import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Log, ShoalError } from '@shoal/core'

/**
 * Reads a small JSON file. Missing -> null. Not JSON, or refused by `parse` (it throws) -> moved aside as `PATH.corrupt-TIME`, a
 * warning, and null: the caller starts afresh and nothing is thrown away. Rejects with STATE_INVALID when the system refuses to read it.
 */
export async function readJsonFile<T>(file: string, parse: (value: unknown) => T, log: Log): Promise<T | null> {
  const text = await readText(file)
  if (text === null) return null
  try {
    return parse(JSON.parse(text))
  } catch (error) {
    const aside = `${file}.corrupt-${new Date().toISOString().replaceAll(':', '')}`
    const reason = error instanceof Error ? error.message : String(error)
    await rename(file, aside).then(
      () => log.warn({ file, aside, reason }, 'file cannot be used; moved it aside and starting without it'),
      (cause: unknown) => log.warn({ file, reason, err: cause }, 'file cannot be used, nor moved aside; starting without it'),
    )
    return null
  }
}

/**
 * Replaces a JSON file as a whole: a reader, and a machine that loses power, sees the old or the new content, never half of one.
 * Makes missing folders; the file is readable by its owner only. Of writes that overlap, the last to finish wins.
 * Rejects with DISK_FULL or STATE_INVALID, and leaves no temporary file behind.
 */
export async function writeJsonFile(file: string, value: unknown): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await withFile(await open(temporary, 'wx', 0o600), async (handle) => {
      await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`)
      await handle.sync()
    })
    await rename(temporary, file)
    await syncFolder(path.dirname(file))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('write', file, error)
  }
}

async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw fileError('read', file, error)
  }
}

/** Without it a power cut may undo the rename. Windows cannot open a folder and needs no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  await withFile(await open(folder, 'r'), (handle) => handle.sync())
}

async function withFile(handle: FileHandle, use: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await use(handle)
  } finally {
    await handle.close()
  }
}

function fileError(verb: string, file: string, error: unknown): ShoalError {
  const code = codeOf(error)
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  const message = `Cannot ${verb} ${file}: ${full ? 'no space is left there' : error instanceof Error ? error.message : String(error)}.`
  if (full) return new ShoalError({ code: 'DISK_FULL', message, remedy: `Free space on the disk of ${path.dirname(file)}.`, cause: error })
  const remedy = `Make ${path.dirname(file)} readable and writable for this user, or set SHOAL_HOME to another folder.`
  return new ShoalError({ code: 'STATE_INVALID', message, remedy, cause: error })
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}
