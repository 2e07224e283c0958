import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LanHost } from './netns.ts'

/** The program as it is shipped: the bundle that the build makes. */
export const shoalProgram = fileURLToPath(new URL('../../packages/cli/dist/shoal.js', import.meta.url))

export interface ShoalProcess {
  readonly process: ChildProcess
  /** All lines it has printed on stdout so far. */
  readonly lines: readonly string[]
  stderr(): string
  /** Resolves with the first line that matches, printed before or after the call; rejects when the process ends before. */
  line(pattern: RegExp): Promise<string>
  /** Exit status; null when a signal ended it. */
  readonly exited: Promise<number | null>
}

export interface ShoalHost {
  /** Starts a command that stays in the foreground. */
  start(args: readonly string[]): ShoalProcess
  /** Runs a command to its end. */
  run(args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
  readonly home: string
}

/** One machine with a home folder of its own: a namespace of a LAN, or null for this machine. Disposing it ends all it started. */
export async function createShoalHost(host: LanHost | null, program = shoalProgram): Promise<ShoalHost & AsyncDisposable> {
  const home = await mkdtemp(join(tmpdir(), 'shoal-process-'))
  const running = new Set<ShoalProcess>()
  const env = { ...process.env, SHOAL_HOME: home, NO_COLOR: '1', HF_ENDPOINT: 'http://127.0.0.1:9' }
  const command = (args: readonly string[]) =>
    host === null
      ? { file: process.execPath, args: [program, ...args] }
      : { file: 'ip', args: ['netns', 'exec', host.namespace, process.execPath, program, ...args] }
  return {
    home,
    start(args) {
      const { file, args: all } = command(args)
      const started = follow(spawn(file, all, { env, stdio: ['ignore', 'pipe', 'pipe'] }))
      running.add(started)
      void started.exited.then(() => running.delete(started))
      return started
    },
    run(args) {
      const { file, args: all } = command(args)
      return new Promise((resolve) => {
        execFile(file, all, { env, timeout: 60_000 }, (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr })
        })
      })
    },
    async [Symbol.asyncDispose]() {
      const all = [...running]
      for (const each of all) each.process.kill('SIGKILL')
      await Promise.all(all.map((each) => each.exited))
      await rm(home, { recursive: true, force: true })
    },
  }
}

function follow(child: ChildProcess): ShoalProcess {
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let errors = ''
  let rest = ''
  let ended = false
  const wake = () => {
    for (const each of [...waiting]) each()
  }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    wake()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      ended = true
      wake()
      resolve(code)
    })
  })
  return {
    process: child,
    lines,
    stderr: () => errors,
    exited,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find((line) => pattern.test(line))
          if (found === undefined && !ended) return
          waiting.delete(look)
          if (found !== undefined) resolve(found)
          else reject(new Error(`it ended without printing ${pattern}; it said:\n${lines.join('\n')}\n${errors}`))
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Asks again and again until the answer satisfies; rejects with the last answer when the time is over. */
export async function eventually<T>(ask: () => Promise<T>, satisfies: (value: T) => boolean, timeoutMs = 10_000): Promise<T> {
  const endMs = performance.now() + timeoutMs
  for (;;) {
    const value = await ask()
    if (satisfies(value)) return value
    if (performance.now() > endMs)
      throw new Error(`not within ${timeoutMs} ms; the last answer was ${JSON.stringify(value)?.slice(0, 2000)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
