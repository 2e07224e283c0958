import { join } from 'node:path'
import type { NodeProfile } from '@shoal/core'
import { probeGpus } from '@shoal/engine'
import { probeNodeProfile } from '@shoal/hardware'
import { formatBandwidth, formatBytes, formatShare } from '../output/format.ts'
import { printRows } from '../output/table.ts'
import type { GlobalOptions } from './context.ts'
import { directoriesOf, logOf } from './serve.ts'

/** This machine's profile, as an agent on it would report it. */
export async function probeThisMachine(options: GlobalOptions & { readonly modelsDir?: string }): Promise<NodeProfile> {
  const log = logOf(options, 'profile')
  const { models, cache } = await directoriesOf(options)
  return probeNodeProfile({
    modelsDir: models,
    probeGpus: () => probeGpus({ log }),
    bandwidthCachePath: join(cache, 'memory-bandwidth.json'),
    log,
  })
}

/** `shoal profile`: what this machine is. */
export async function runProfile(options: GlobalOptions): Promise<void> {
  const profile = await probeThisMachine(options)
  printRows({ kind: options.output, value: profile, head: ['what', 'value'], rows: profileRows(profile), whenEmpty: '' })
}

function profileRows(profile: NodeProfile): string[][] {
  const { cpu, memory, disk, battery } = profile
  const sets = cpu.instructionSets === null ? 'unknown' : cpu.instructionSets.join(' ') || 'none that matters'
  return [
    ['host', profile.hostname],
    ['system', profile.osRelease],
    ['cpu', `${cpu.model ?? 'unknown'} (${cpu.architecture})`],
    ['cores', `${cpu.usableCores} usable, ${cpu.physicalCores ?? 'unknown'} physical, ${cpu.logicalCores} logical`],
    ['instruction sets', sets],
    [
      'memory',
      `${formatBytes(memory.availableBytes)} available, limit ${formatBytes(memory.limitBytes)}, total ${formatBytes(memory.totalBytes)}`,
    ],
    ['memory bandwidth', `${formatBandwidth(memory.bandwidthBytesPerSecond)} (measured read)`],
    ...(profile.gpus.length === 0 ? [['gpu', 'none the engine can use']] : []),
    ...profile.gpus.map((gpu) => [
      'gpu',
      `${gpu.name}, ${gpu.backend}, ${formatBytes(gpu.vramFreeBytes)} free of ${formatBytes(gpu.vramTotalBytes)}${gpu.unifiedMemory ? ', shared with the CPU' : ''}`,
    ]),
    ['disk', disk === null ? 'unknown' : `${formatBytes(disk.freeBytes)} free of ${formatBytes(disk.totalBytes)} at ${disk.path}`],
    ['battery', battery === null ? 'none' : `${formatShare(battery.charge) || 'unknown'}, ${describeMains(battery.onMains)}`],
    ...profile.interfaces.map((each) => [
      'interface',
      `${each.name} ${each.address}, ${each.kind}${each.speedMbitPerSecond === null ? '' : `, ${each.speedMbitPerSecond} Mbit/s`}`,
    ]),
  ]
}

const describeMains = (onMains: boolean | null): string => (onMains === null ? 'mains unknown' : onMains ? 'on mains' : 'on battery')
