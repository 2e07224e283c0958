import { mkdir, open, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '@shoal/core'
import { isErrno, sleep } from '../time.ts'

const refreshMs = 5_000
/** A lock that nobody refreshed for so long belongs to a process that died. */
const staleMs = 30_000
const pollMs = 1_000

/**
 * Runs `work` while no other process fetches the same file: agents on one machine may share a models folder. Whoever comes second waits,
 * and finds the file there. Rejects with CANCELLED while waiting. Two processes that find the same dead lock in the same instant may
 * both go on: then the digest tells.
 */
export async function withDownloadLock<T>(
  finalPath: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const lock = `${finalPath}.part.lock`
  await mkdir(path.dirname(lock), { recursive: true })
  while (!(await tryLock(lock))) {
    const age = await ageMs(lock, clock)
    if (age !== null && age > staleMs) await rm(lock, { force: true })
    else await sleep(clock, pollMs, signal)
  }
  let cancelRefresh = () => {}
  const refresh = () => {
    cancelRefresh = clock.after(refreshMs, () => {
      const now = new Date()
      utimes(lock, now, now).then(refresh, () => undefined)
    })
  }
  refresh()
  try {
    return await work()
  } finally {
    cancelRefresh()
    await rm(lock, { force: true })
  }
}

async function tryLock(lock: string): Promise<boolean> {
  try {
    await using handle = await open(lock, 'wx')
    await handle.writeFile(`${process.pid}\n`)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

async function ageMs(lock: string, clock: Clock): Promise<number | null> {
  try {
    return clock.wallMs() - (await stat(lock)).mtimeMs
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}
