import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Candidate, MemberRole, MulticastStatus } from '@shoal/membership'
import type { LanHost } from './netns.ts'

export const memberProgram = fileURLToPath(new URL('./member-process.ts', import.meta.url))

export interface MemberOptions {
  readonly announce?: { readonly role: MemberRole; readonly id: string; readonly port: number }
  readonly browse?: readonly MemberRole[]
  readonly peers?: readonly string[]
}

/** A membership process on a host. */
export interface Member extends AsyncDisposable {
  readonly process: ChildProcess
  readonly multicast: MulticastStatus
  /** The last list it reported. */
  candidates(): readonly Candidate[]
  warnings(): readonly string[]
  /** Resolves with the candidates as soon as they satisfy `wanted`; rejects with them after `limitMs` or when the process ends. */
  until(wanted: (candidates: readonly Candidate[]) => boolean, limitMs?: number): Promise<readonly Candidate[]>
  /** Memory and CPU time of the process, now. */
  usage(): Promise<{ readonly rssBytes: number; readonly cpuMs: number }>
  /** SIGTERM, until the process has said goodbye and ended; its exit code. */
  leave(): Promise<number | null>
  kill(): Promise<void>
}

/** Starts one and resolves when its sockets are open. */
export async function startMember(host: LanHost, options: MemberOptions): Promise<Member> {
  const child = host.spawn(process.execPath, [memberProgram, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'pipe'] })
  let candidates: readonly Candidate[] = []
  let errors = ''
  const warnings: string[] = []
  const checks = new Set<() => void>()
  const ready = Promise.withResolvers<MulticastStatus>()
  const ended = Promise.withResolvers<number | null>()
  let usage = Promise.withResolvers<{ rssBytes: number; cpuMs: number }>()
  let hasEnded = false
  child.stderr?.on('data', (text) => {
    errors += String(text)
  })
  child.once('exit', (code) => {
    hasEnded = true
    ended.resolve(code)
    ready.reject(new Error(`the member on ${host.name} ended with ${code}: ${errors}`))
    for (const check of checks) check()
  })
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
    const event = JSON.parse(line)
    if (event.kind === 'ready') ready.resolve(event.multicast)
    if (event.kind === 'warning') warnings.push(event.message)
    if (event.kind === 'usage') usage.resolve(event)
    if (event.kind !== 'candidates') return
    candidates = event.candidates
    for (const check of checks) check()
  })
  const multicast = await ready.promise
  const kill = async () => {
    child.kill('SIGKILL')
    await ended.promise
  }
  return {
    process: child,
    multicast,
    candidates: () => candidates,
    warnings: () => warnings,
    until: (wanted, limitMs = 2_000) =>
      new Promise((resolve, reject) => {
        const settle = (finish: () => void) => {
          clearTimeout(timer)
          checks.delete(check)
          finish()
        }
        const fail = (why: string) =>
          settle(() => reject(new Error(`${host.name}: ${why}; candidates: ${JSON.stringify(candidates)} ${errors}`)))
        const check = () => {
          if (wanted(candidates)) settle(() => resolve(candidates))
          else if (hasEnded) fail('the process ended')
        }
        const timer = setTimeout(() => fail(`not within ${limitMs} ms`), limitMs)
        checks.add(check)
        check()
      }),
    usage() {
      usage = Promise.withResolvers()
      child.stdin?.write('usage\n')
      return usage.promise
    },
    async leave() {
      child.kill('SIGTERM')
      return ended.promise
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
