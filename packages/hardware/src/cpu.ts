import os from 'node:os'
import type { CpuProfile } from '@shoal/core'
import { readCgroupCores } from './cgroup.ts'
import { readInstructionSets } from './instruction-sets.ts'
import { listNames, type MachineSource, readText, thisMachine } from './machine-source.ts'

export interface CpuSource extends MachineSource {
  /** As `process.arch`. */
  readonly architecture: string
  /** As `os.availableParallelism()`: affinity applied. */
  readonly availableParallelism: number
}

export const thisCpu = (): CpuSource => ({ ...thisMachine, architecture: process.arch, availableParallelism: os.availableParallelism() })

export async function readCpu(source: CpuSource = thisCpu()): Promise<CpuProfile> {
  const cpuinfo = source.platform === 'linux' ? await readText(source, '/proc/cpuinfo') : null
  const [model, physicalCores, quotaCores, instructionSets] = await Promise.all([
    readModel(source, cpuinfo),
    readPhysicalCores(source),
    source.platform === 'linux' ? readCgroupCores(source) : null,
    readInstructionSets(source, cpuinfo),
  ])
  return {
    model,
    architecture: source.architecture,
    physicalCores,
    logicalCores: cpuinfo?.match(/^processor\s*:/gm)?.length ?? os.cpus().length,
    usableCores: Math.min(source.availableParallelism, quotaCores ?? source.availableParallelism),
    instructionSets,
  }
}

/**
 * `model name` of /proc/cpuinfo, which on ARM is absent or says only "ARMv8 Processor": there the board's name in the device tree
 * (Raspberry Pi 5, Jetson Orin) says more, and `lscpu`, through systeminformation, knows the part numbers of ARM servers.
 */
async function readModel(source: CpuSource, cpuinfo: string | null): Promise<string | null> {
  const named =
    source.platform === 'linux' ? (/^model name\s*:\s*(.+)$/m.exec(cpuinfo ?? '')?.[1] ?? null) : (os.cpus()[0]?.model.trim() ?? null)
  if (source.platform === 'linux' && source.architecture !== 'x64') {
    const board = (await readText(source, '/proc/device-tree/model'))?.replaceAll('\0', '').trim() ?? ''
    if (board !== '') return board
    return (source.root === '/' ? await askSystemInformation() : null) ?? named
  }
  return named === null || named === '' || named === 'unknown' ? null : named
}

async function askSystemInformation(): Promise<string | null> {
  const { cpu } = await import('systeminformation')
  const { manufacturer, brand } = await cpu()
  const text = `${manufacturer} ${brand}`.trim()
  return text === '' ? null : text
}

/** Hardware threads that share a core list the same siblings; so the number of different lists is the number of cores. */
async function readPhysicalCores(source: CpuSource): Promise<number | null> {
  if (source.platform !== 'linux') {
    const { cpu } = await import('systeminformation')
    const { physicalCores } = await cpu()
    return physicalCores > 0 ? physicalCores : null
  }
  const folder = '/sys/devices/system/cpu'
  const names = (await listNames(source, folder)).filter((name) => /^cpu\d+$/.test(name))
  const siblings = await Promise.all(
    names.map(
      async (name) =>
        (await readText(source, `${folder}/${name}/topology/core_cpus_list`)) ??
        (await readText(source, `${folder}/${name}/topology/thread_siblings_list`)),
    ),
  )
  const known = siblings.filter((list) => list !== null && list !== '')
  return known.length === 0 ? null : new Set(known).size
}
