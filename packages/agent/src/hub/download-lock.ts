import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import type { Clock } from '@shoal/core'
import { isErrno, sleep } from '../time.ts'

const refreshMs = 5_000
/** A lock that nobody refreshed for so long belongs to a process that died. */
const staleMs = 30_000
const pollMs = 1_000

/** Locks of this very process: one of its own pid that is not here was left by an earlier process of the same number. */
const held = new Set<string>()

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
    if (await isDead(lock, clock)) await rm(lock, { force: true })
    else await sleep(clock, pollMs, signal)
  }
  let cancelRefresh = () => {}
  const refresh = () => {
    cancelRefresh = clock.after(refreshMs, () => {
      const now = new Date()
      utimes(lock, now, now).then(refresh, () => undefined)
    })
  }
  held.add(lock)
  refresh()
  try {
    return await work()
  } finally {
    cancelRefresh()
    held.delete(lock)
    await rm(lock, { force: true })
  }
}

async function tryLock(lock: string): Promise<boolean> {
  try {
    await using handle = await open(lock, 'wx')
    await handle.writeFile(`${process.pid} ${hostname()}\n`)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

/** By its age, and sooner when its process was on this machine and is gone. */
async function isDead(lock: string, clock: Clock): Promise<boolean> {
  try {
    const [pid = '', host = ''] = (await readFile(lock, 'utf8')).trim().split(' ')
    if (host === hostname() && !isRunning(Number(pid), lock)) return true
    return clock.wallMs() - (await stat(lock)).mtimeMs > staleMs
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

function isRunning(pid: number, lock: string): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return true
  if (pid === process.pid) return held.has(lock)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}
