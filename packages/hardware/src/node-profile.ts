import { readFile } from 'node:fs/promises'
import os from 'node:os'
import type { CpuProfile, GpuProfile, Log, MemoryProfile, NodeProfile } from '@shoal/core'
import { readBandwidthCache, writeBandwidthCache } from './bandwidth-cache.ts'
import { readBattery } from './battery.ts'
import { readCpu } from './cpu.ts'
import { readDisk } from './disk.ts'
import { readInterfaces } from './interfaces.ts'
import { thisMachine } from './machine-source.ts'
import { type MemorySample, sampleMemory } from './memory.ts'
import { measureBandwidth, readCacheBytes } from './memory-bandwidth.ts'

export interface NodeProfileOptions {
  /** Folder for models; it may not exist yet. */
  readonly modelsDir: string
  /** What the engine can really use; this package does not ask drivers. */
  readonly probeGpus: () => Promise<readonly GpuProfile[]>
  /** File that keeps the measured memory bandwidth, so that only the first starts pay for it. */
  readonly bandwidthCachePath: string
  readonly log: Log
  /** Measures the bandwidth anew and forgets the stored figure, for example after memory was exchanged. */
  readonly remeasureBandwidth?: boolean
  /** Bound of each probe; a probe that takes longer counts as failed. */
  readonly probeTimeoutMs?: number
  /** Bound of the GPU probe: the first start of a driver can take seconds. */
  readonly gpuTimeoutMs?: number
}

/**
 * What this machine is. The probes run side by side, each within its bound; one that fails or hangs gives null (no GPU, no interface in
 * their lists) and a warning, never a guess, and never an error. The bandwidth is measured last, when the others keep no core busy.
 */
export async function probeNodeProfile(options: NodeProfileOptions): Promise<NodeProfile> {
  const { modelsDir, probeGpus, log, probeTimeoutMs = 2000, gpuTimeoutMs = 15_000 } = options
  const probe = <T>(name: string, run: () => Promise<T>, timeoutMs = probeTimeoutMs) => runProbe({ name, run, timeoutMs, log })
  const [osRelease, cpu, memory, gpus, disk, battery, interfaces] = await Promise.all([
    probe('os release', readOsRelease),
    probe('cpu', () => readCpu()),
    probe('memory', () => sampleMemory()),
    probe('gpus', probeGpus, gpuTimeoutMs),
    probe('disk', () => readDisk(modelsDir)),
    probe('battery', () => readBattery()),
    probe('interfaces', () => readInterfaces()),
  ])
  const knownCpu = cpu ?? cpuWithoutProbe()
  const knownMemory = memory ?? { totalBytes: os.totalmem(), limitBytes: os.totalmem(), availableBytes: os.freemem() }
  const bandwidthBytesPerSecond = await probe('memory bandwidth', () => bandwidthOf(knownCpu, knownMemory, options), probeTimeoutMs + 500)
  const memoryProfile: MemoryProfile = { ...knownMemory, bandwidthBytesPerSecond }
  return {
    hostname: os.hostname(),
    platform: process.platform,
    osRelease: osRelease ?? `${os.type()} ${os.release()}`,
    cpu: knownCpu,
    memory: memoryProfile,
    gpus: gpus ?? [],
    disk,
    battery,
    interfaces: interfaces ?? [],
  }
}

/** Other programs only ever make the memory look slower than it is, so the best of the first three starts is kept that found idle cores. */
const measuredStarts = 3

interface Probe<T> {
  readonly name: string
  readonly run: () => Promise<T>
  readonly timeoutMs: number
  readonly log: Log
}

/** The result, or null and a warning when it fails or takes longer than its bound. */
export async function runProbe<T>({ name, run, timeoutMs, log }: Probe<T>): Promise<T | null> {
  const startMs = performance.now()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    const value = await Promise.race([run(), late])
    log.debug({ probe: name, elapsedMs: Math.round(performance.now() - startMs) }, 'probe done')
    return value
  } catch (err) {
    log.warn({ probe: name, err }, 'a hardware probe failed; its value is unknown')
    return null
  } finally {
    clearTimeout(timer)
  }
}

async function bandwidthOf(cpu: CpuProfile, memory: MemorySample, options: NodeProfileOptions): Promise<number | null> {
  const { bandwidthCachePath: file, log, remeasureBandwidth = false, probeTimeoutMs = 2000 } = options
  const key = { model: cpu.model, totalBytes: memory.totalBytes, usableCores: cpu.usableCores }
  const stored = await readBandwidthCache(file, key)
  if (stored !== null && stored.runs >= measuredStarts && !remeasureBandwidth) return stored.bytesPerSecond
  const cacheBytes = await readCacheBytes(thisMachine)
  const { usableCores } = cpu
  const { availableBytes } = memory
  const measured = await measureBandwidth({ usableCores, availableBytes, cacheBytes, timeoutMs: probeTimeoutMs }).catch((err: unknown) => {
    if (stored === null) throw err
    log.warn({ err }, 'cannot measure the memory bandwidth now; using the stored figure')
    return null
  })
  if (measured === null) return stored?.bytesPerSecond ?? null
  const earlier = remeasureBandwidth ? { bytesPerSecond: 0, runs: 0 } : (stored ?? { bytesPerSecond: 0, runs: 0 })
  const bytesPerSecond = Math.max(measured.bytesPerSecond, earlier.bytesPerSecond)
  const runs = earlier.runs + (measured.isDisturbed ? 0 : 1)
  await writeBandwidthCache(file, key, { stored: { bytesPerSecond, runs }, log })
  return bytesPerSecond
}

/** The fields a CPU profile must have, from Node itself. */
function cpuWithoutProbe(): CpuProfile {
  return {
    model: null,
    architecture: process.arch,
    physicalCores: null,
    logicalCores: os.cpus().length,
    usableCores: os.availableParallelism(),
    instructionSets: null,
  }
}

/** `Debian GNU/Linux 12 (bookworm), Linux 6.1.0`; only the kernel where there is no os-release file. */
async function readOsRelease(): Promise<string> {
  const kernel = `${os.type()} ${os.release()}`
  if (process.platform !== 'linux') return kernel
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const pretty = /^PRETTY_NAME=(["']?)(.+)\1$/m.exec(text)?.[2]
  return pretty === undefined ? kernel : `${pretty}, ${kernel}`
}
