import { execFile } from 'node:child_process'
import { type CoordinatorOptions, coordinator, type ReadOperation, type RoundSpeed, reader } from './bandwidth-child.ts'
import { listNames, type MachineSource, readText } from './machine-source.ts'

export interface BandwidthOptions {
  /** Cores this process may use. */
  readonly usableCores: number
  readonly availableBytes: number
  /** Size of the last-level cache in bytes; null = not known. */
  readonly cacheBytes: number | null
  readonly timeoutMs?: number
}

export interface Bandwidth {
  readonly bytesPerSecond: number
  /** Other programs kept the cores busy meanwhile: the memory is at least this fast, and worth measuring again. */
  readonly isDisturbed: boolean
}

const mebibyte = 1024 * 1024
/** About one time slice of Linux: on busy cores some rounds of this length still run undisturbed, of 20 ms none does. */
const roundMs = 3
const rounds: readonly ReadOperation[] = Array.from({ length: 6 }, () => ['memcmp', 'memchr', 'memcmp', 'ascii'] as const).flat()
/** Few threads fill the memory channels of one socket; more would only lengthen the probe. */
const threadsMax = 16
/** 0.97 and more were seen on an idle machine, 0.3-0.7 with as many busy programs as cores. */
const undisturbedShare = 0.9

/**
 * Read bandwidth of main memory in bytes per second, all usable cores together (at most 16 threads); null when too little memory is
 * free to tell it from the cache. Rejects when the probe's process fails, or has not finished one round after `timeoutMs`.
 *
 * Method: threads read one common memory, several times the last-level cache, by native operations of Node that run at the memory's
 * speed: `Buffer.compare` (memcmp), `Buffer.indexOf` (memchr) and `isAscii` (simdutf, for systems whose C library is slow at the
 * others). 24 rounds of 3 ms; the fastest counts, since every round read all the bytes it claims and other programs only slow it down.
 * Takes about 0.3 s, of which 80 ms are reading and the rest starting a process with threads and touching the memory. On a virtual
 * machine with two cores of an EPYC 7003 it gives what a C loop over AVX2 loads gives on the same cores, or a tenth more; `Buffer.copy`
 * gives three quarters of it, a loop in JavaScript three fifths (design.md has the table).
 *
 * What decoding reaches is less. Published runs of llama.cpp on CPUs come to 0.45-0.7 of the *theoretical* bandwidth (Raspberry Pi 5,
 * N150, Ryzen 7840HS, Core Ultra 155H), which no reading reaches either. So multiply this value by an efficiency below one, best by the
 * one measured on the node's first model.
 */
export async function measureBandwidth({
  usableCores,
  availableBytes,
  cacheBytes,
  timeoutMs = 2000,
}: BandwidthOptions): Promise<Bandwidth | null> {
  const threads = Math.max(1, Math.min(threadsMax, Math.floor(usableCores)))
  const bytes = chooseProbeBytes(availableBytes, cacheBytes)
  if (bytes === null) return null
  const options: CoordinatorOptions = { readerSource: `(${reader.toString()})()`, threads, bytes, roundMs, rounds }
  // A process of its own: what threads leave behind in their parent (25 MB were seen) would stay for the agent's whole life.
  const { NODE_OPTIONS: _, ...env } = process.env
  const source = `(${coordinator.toString()})(${JSON.stringify(options)})`
  const { stdout, failure } = await runNode(['--input-type=commonjs', '--eval', source], { env, timeoutMs })
  const best = bestOf(stdout)
  // Rounds that were done before the time was up are as good as any.
  if (best === null) throw new Error(`the probe's process gave no figure: ${failure ?? 'no output'}`)
  return best
}

/**
 * Four times the last-level cache, so that a thread finds nothing there that another one left, and at least 128 MiB; at most a quarter of
 * the memory that is free, and 2 GiB. Null when that leaves too little to tell memory from cache.
 */
export function chooseProbeBytes(availableBytes: number, cacheBytes: number | null): number | null {
  const wanted = Math.max(128 * mebibyte, 4 * (cacheBytes ?? 0))
  const bytes = Math.min(wanted, 2048 * mebibyte, availableBytes / 4)
  const least = Math.max(32 * mebibyte, 1.5 * (cacheBytes ?? 0))
  return bytes < least ? null : Math.floor(bytes / (8 * mebibyte)) * 8 * mebibyte
}

/** Sum of the last-level caches (/sys/devices/system/cpu/cpuN/cache); null when the system does not say. */
export async function readCacheBytes(source: MachineSource): Promise<number | null> {
  if (source.platform !== 'linux') return null
  const folder = '/sys/devices/system/cpu'
  const cpus = (await listNames(source, folder)).filter((name) => /^cpu\d+$/.test(name))
  const caches = await Promise.all(
    cpus.map(async (cpu) => {
      const last = (await listNames(source, `${folder}/${cpu}/cache`)).filter((name) => /^index\d+$/.test(name)).at(-1)
      const [size, shared] = await Promise.all([
        readText(source, `${folder}/${cpu}/cache/${last}/size`),
        readText(source, `${folder}/${cpu}/cache/${last}/shared_cpu_list`),
      ])
      const kibibytes = /^(\d+)K$/.exec(size ?? '')?.[1]
      return kibibytes === undefined ? null : ([shared ?? cpu, Number(kibibytes) * 1024] as const)
    }),
  )
  const distinct = new Map(caches.filter((cache) => cache !== null))
  return distinct.size === 0 ? null : [...distinct.values()].reduce((sum, bytes) => sum + bytes, 0)
}

interface NodeRun {
  readonly stdout: string
  /** Null when it ended by itself with 0. */
  readonly failure: string | null
}

function runNode(args: readonly string[], { env, timeoutMs }: { env: NodeJS.ProcessEnv; timeoutMs: number }): Promise<NodeRun> {
  return new Promise((resolve) => {
    const options = { env, timeout: timeoutMs, killSignal: 'SIGKILL', windowsHide: true } as const
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      // The error's own message would repeat the whole program.
      const failure = error === null ? null : `exit ${error.code ?? null}, signal ${error.signal ?? null} ${stderr.slice(0, 500)}`.trim()
      resolve({ stdout, failure })
    })
  })
}

/** The fastest round of those whose lines are whole; null when none is. */
function bestOf(output: string): Bandwidth | null {
  const lines = output.slice(0, output.lastIndexOf('\n') + 1).split('\n')
  const speeds = lines.filter((line) => line !== '').map((line): RoundSpeed => JSON.parse(line))
  const [first, ...others] = speeds
  if (first === undefined) return null
  const best = others.reduce((fastest, speed) => (speed.bytesPerSecond > fastest.bytesPerSecond ? speed : fastest), first)
  return { bytesPerSecond: Math.round(best.bytesPerSecond), isDisturbed: best.cpuShare < undisturbedShare }
}
