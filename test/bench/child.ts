import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface BenchChild extends AsyncDisposable {
  readonly process: ChildProcess
  readonly pid: number
  /** First line it printed on stdout. */
  readonly firstLine: string
}

const shoal = fileURLToPath(new URL('../../packages/cli/dist/shoal.js', import.meta.url))

/** Starts the shipped program as a user's shell would, by its first line, on the Node that runs the bench. */
export function startShoal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<BenchChild> {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter)
  return follow(spawn(shoal, [...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env, PATH: path } }), 'shoal')
}

/** Starts a program of the bench. */
export function startProgram(args: readonly string[]): Promise<BenchChild> {
  return follow(spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'inherit'] }), args[0] ?? '')
}

/** Waits for the first line on stdout; disposing ends the process. */
async function follow(child: ChildProcess, name: string): Promise<BenchChild> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const { stdout, pid } = child
  if (stdout === null || pid === undefined) throw new Error(`${name} could not be started`)
  const firstLine = await new Promise<string>((resolve, reject) => {
    createInterface({ input: stdout }).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before its first line`)))
  })
  stdout.resume()
  return {
    process: child,
    pid,
    firstLine,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(force)
    },
  }
}

/** Resident memory of a process in MiB, from /proc. */
export function residentMib(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (match?.[1] === undefined) throw new Error(`no VmRSS for ${pid}`)
  return Number(match[1]) / 1024
}

/** CPU seconds a process has used so far (user and system, 100 ticks a second on Linux). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
