import os from 'node:os'
import { readCgroupMemory } from './cgroup.ts'
import { kibibytesOf, type MachineSource, readText, smallestKnown, thisMachine } from './machine-source.ts'

export interface MemorySample {
  readonly totalBytes: number
  /** min(total, limits of all control groups above this process). */
  readonly limitBytes: number
  /** What could be used now without swapping, within the limit. */
  readonly availableBytes: number
}

/**
 * Memory of this machine now: a few small files on Linux (about 1 ms), so it may be asked before each load.
 * Page cache counts as available. That includes the mapped file of a model that is loaded: subtract what own engines hold
 * (`measureProcessBytes`) before a second one is planned.
 */
export async function sampleMemory(source: MachineSource = thisMachine): Promise<MemorySample> {
  const machine = source.platform === 'linux' ? await readMeminfo(source) : await readOther(source)
  const groups = source.platform === 'linux' ? await readCgroupMemory(source, machine.totalBytes) : []
  const limitBytes = smallestKnown([machine.totalBytes, ...groups.map((group) => group.limitBytes)]) ?? machine.totalBytes
  const rooms = groups.map((group) => Math.max(0, group.limitBytes - group.usedBytes + group.reclaimableBytes))
  return {
    totalBytes: machine.totalBytes,
    limitBytes,
    availableBytes: smallestKnown([machine.availableBytes, limitBytes, ...rooms]) ?? 0,
  }
}

async function readMeminfo(source: MachineSource): Promise<{ readonly totalBytes: number; readonly availableBytes: number }> {
  const text = (await readText(source, '/proc/meminfo')) ?? ''
  const value = (key: string) => kibibytesOf(text, key)
  const totalBytes = value('MemTotal')
  if (totalBytes === null) return { totalBytes: os.totalmem(), availableBytes: os.freemem() }
  // Kernels before 3.14 have no MemAvailable; shared memory is in Cached but cannot be given back.
  const estimate = (value('MemFree') ?? 0) + (value('Buffers') ?? 0) + (value('Cached') ?? 0) - (value('Shmem') ?? 0)
  return { totalBytes, availableBytes: value('MemAvailable') ?? Math.max(0, estimate) }
}

async function readOther({ platform }: MachineSource): Promise<{ readonly totalBytes: number; readonly availableBytes: number }> {
  const totalBytes = os.totalmem()
  // Windows counts standby pages as free; macOS does not count inactive ones, and would always look full.
  if (platform === 'win32') return { totalBytes, availableBytes: os.freemem() }
  const { mem } = await import('systeminformation')
  const availableBytes = await mem().then(
    (memory) => memory.available,
    () => 0,
  )
  return { totalBytes, availableBytes: availableBytes > 0 ? Math.min(availableBytes, totalBytes) : os.freemem() }
}
