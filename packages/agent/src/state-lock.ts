import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname, uptime } from 'node:os'
import path from 'node:path'
import { type Clock, ShoalError } from '@shoal/core'
import { isErrno } from './time.ts'

const lockFile = 'agent.lock'
const refreshMs = 5_000
/** Of a lock from another host (a shared folder, another container), whose processes nobody here can ask for. */
const staleMs = 30_000

/** Locks this very process has or is taking: what else bears its pid was left by an earlier process of the same number. */
const held = new Set<string>()

/** Who holds a lock. */
interface Holder {
  readonly pid: number
  /** In what the system counts in; null = this system does not say. Tells a process from a later one of the same number. */
  readonly startedAt: string | null
  readonly host: string
}

/**
 * Keeps a second agent off `stateDirectory`: two with one key would be one node to every gateway. The lock of a process that is gone,
 * however it ended, counts for nothing. Rejects with STATE_INVALID, naming the process.
 */
export async function takeStateLock(stateDirectory: string, clock: Clock): Promise<AsyncDisposable> {
  const lock = path.resolve(stateDirectory, lockFile)
  const draft = `${lock}.${randomUUID()}.new`
  if (held.has(lock)) throw inUse(lock, { pid: process.pid, startedAt: null, host: hostname() })
  held.add(lock)
  try {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 })
    await writeFile(draft, `${process.pid} ${(await startOfProcess(process.pid)) ?? '-'} ${hostname()}\n`, { mode: 0o600 })
    // A link appears whole or not at all: nobody reads a lock that is half written.
    while (!(await tryLink(draft, lock))) await removeIfDead(lock, clock)
  } catch (error) {
    held.delete(lock)
    if (error instanceof ShoalError) throw error
    const detail = error instanceof Error ? error.message : String(error)
    throw new ShoalError({ code: 'STATE_INVALID', message: `The state folder ${stateDirectory} cannot be used: ${detail}.`, cause: error })
  } finally {
    await rm(draft, { force: true })
  }
  return keepFresh(lock, clock)
}

function keepFresh(lock: string, clock: Clock): AsyncDisposable {
  let cancel = () => {}
  let released = false
  const refreshLater = () => {
    cancel = clock.after(refreshMs, () => {
      const now = new Date(clock.wallMs())
      utimes(lock, now, now).then(
        () => released || refreshLater(),
        () => undefined,
      )
    })
  }
  refreshLater()
  return {
    async [Symbol.asyncDispose]() {
      if (released) return
      released = true
      cancel()
      await rm(lock, { force: true })
      held.delete(lock)
    },
  }
}

async function tryLink(draft: string, lock: string): Promise<boolean> {
  try {
    await link(draft, lock)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

/** Throws STATE_INVALID when its holder lives. */
async function removeIfDead(lock: string, clock: Clock): Promise<void> {
  const content = await readOrNull(lock)
  if (content === null) return
  const holder = parseHolder(content)
  if (holder !== null && (await isAlive(holder, lock, clock))) throw inUse(lock, holder)
  // Moved before it is removed: another start may have done the same and taken the lock meanwhile, and that one is put back.
  const aside = `${lock}.${randomUUID()}.old`
  try {
    await rename(lock, aside)
    if ((await readFile(aside, 'utf8')) !== content) await tryLink(aside, lock)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  } finally {
    await rm(aside, { force: true })
  }
}

async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

/** Null for what no running agent wrote: an empty file after a power cut. */
function parseHolder(content: string): Holder | null {
  const [pidText = '', startedAt = '', host = ''] = content.trim().split(' ')
  const pid = Number(pidText)
  if (!Number.isSafeInteger(pid) || pid <= 0 || startedAt === '' || host === '') return null
  return { pid, startedAt: startedAt === '-' ? null : startedAt, host }
}

async function isAlive({ pid, startedAt, host }: Holder, lock: string, clock: Clock): Promise<boolean> {
  if (host !== hostname()) return clock.wallMs() - (await lastSignMs(lock)) <= staleMs
  if (pid === process.pid || !isRunning(pid)) return false
  const starts = await startOfProcess(pid)
  if (startedAt !== null && starts !== null) return starts === startedAt
  // Without a start time a lock from before the last start of the machine is surely dead.
  return (await lastSignMs(lock)) >= clock.wallMs() - uptime() * 1000
}

async function lastSignMs(lock: string): Promise<number> {
  try {
    return (await stat(lock)).mtimeMs
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0
    throw error
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)): ticks from the start of the machine to that of the process; null elsewhere. */
async function startOfProcess(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return null
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, field 2, is in parentheses and may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

function inUse(lock: string, { pid, host }: Holder): ShoalError {
  const where = host === hostname() ? '' : ` on ${host}`
  return new ShoalError({
    code: 'STATE_INVALID',
    message: `The state folder ${path.dirname(lock)} is in use by process ${pid}${where}.`,
    remedy: `Give this one a state of its own with --name OTHER, or stop the other agent. If process ${pid} is none: remove ${lock}.`,
  })
}
