import type { CpuProfile, GpuProfile, NetworkInterfaceProfile, NodeProfile } from '@shoal/core'
import type { CpuProfile as WireCpu, CpuProfile__Output as WireCpuRead } from '../generated/shoal/v1/CpuProfile.ts'
import type { GpuProfile as WireGpu, GpuProfile__Output as WireGpuRead } from '../generated/shoal/v1/GpuProfile.ts'
import type {
  NetworkInterface as WireInterface,
  NetworkInterface__Output as WireInterfaceRead,
} from '../generated/shoal/v1/NetworkInterface.ts'
import type { NodeProfile as WireProfile, NodeProfile__Output as WireProfileRead } from '../generated/shoal/v1/NodeProfile.ts'
import { finiteOrNull, integerOrNull, parseFinite, parseInteger, parseOneOf, requireMessage } from './parse.ts'

const gpuBackends = ['cuda', 'vulkan', 'metal'] as const
const addressFamilies = ['IPv4', 'IPv6'] as const
const interfaceKinds = ['wired', 'wireless', 'virtual', 'loopback', 'unknown'] as const

export function encodeNodeProfile(profile: NodeProfile): WireProfile {
  const { memory, disk, battery } = profile
  const wire: WireProfile = {
    hostname: profile.hostname,
    platform: profile.platform,
    osRelease: profile.osRelease,
    cpu: encodeCpu(profile.cpu),
    memory: { totalBytes: memory.totalBytes, limitBytes: memory.limitBytes, availableBytes: memory.availableBytes },
    gpus: profile.gpus.map(encodeGpu),
    interfaces: profile.interfaces.map(encodeInterface),
  }
  if (memory.bandwidthBytesPerSecond !== null && wire.memory) wire.memory.bandwidthBytesPerSecond = memory.bandwidthBytesPerSecond
  if (disk !== null) wire.disk = { path: disk.path, totalBytes: disk.totalBytes, freeBytes: disk.freeBytes }
  if (battery !== null) {
    wire.battery = {}
    if (battery.charge !== null) wire.battery.charge = battery.charge
    if (battery.onMains !== null) wire.battery.onMains = battery.onMains
  }
  return wire
}

export function parseNodeProfile(wire: WireProfileRead): NodeProfile {
  const memory = requireMessage(wire.memory, 'profile.memory')
  const { disk, battery } = wire
  return {
    hostname: wire.hostname,
    platform: wire.platform,
    osRelease: wire.osRelease,
    cpu: parseCpu(requireMessage(wire.cpu, 'profile.cpu')),
    memory: {
      totalBytes: parseInteger(memory.totalBytes, 'profile.memory.total_bytes'),
      limitBytes: parseInteger(memory.limitBytes, 'profile.memory.limit_bytes'),
      availableBytes: parseInteger(memory.availableBytes, 'profile.memory.available_bytes'),
      bandwidthBytesPerSecond: finiteOrNull(memory.bandwidthBytesPerSecond, 'profile.memory.bandwidth_bytes_per_second'),
    },
    gpus: wire.gpus.map(parseGpu),
    disk: disk
      ? {
          path: disk.path,
          totalBytes: parseInteger(disk.totalBytes, 'profile.disk.total_bytes'),
          freeBytes: parseInteger(disk.freeBytes, 'profile.disk.free_bytes'),
        }
      : null,
    battery: battery ? { charge: finiteOrNull(battery.charge, 'profile.battery.charge'), onMains: battery.onMains ?? null } : null,
    interfaces: wire.interfaces.map(parseInterface),
  }
}

function encodeCpu(cpu: CpuProfile): WireCpu {
  const wire: WireCpu = { architecture: cpu.architecture, logicalCores: cpu.logicalCores, usableCores: cpu.usableCores }
  if (cpu.model !== null) wire.model = cpu.model
  if (cpu.physicalCores !== null) wire.physicalCores = cpu.physicalCores
  if (cpu.instructionSets !== null) wire.instructionSets = { names: [...cpu.instructionSets] }
  return wire
}

function parseCpu(wire: WireCpuRead): CpuProfile {
  return {
    model: wire.model ?? null,
    architecture: wire.architecture,
    physicalCores: wire.physicalCores ?? null,
    logicalCores: wire.logicalCores,
    usableCores: parseFinite(wire.usableCores, 'profile.cpu.usable_cores'),
    instructionSets: wire.instructionSets?.names ?? null,
  }
}

function encodeGpu(gpu: GpuProfile): WireGpu {
  const wire: WireGpu = { name: gpu.name, backend: gpu.backend, unifiedMemory: gpu.unifiedMemory }
  if (gpu.vramTotalBytes !== null) wire.vramTotalBytes = gpu.vramTotalBytes
  if (gpu.vramFreeBytes !== null) wire.vramFreeBytes = gpu.vramFreeBytes
  return wire
}

function parseGpu(wire: WireGpuRead): GpuProfile {
  return {
    name: wire.name,
    backend: parseOneOf(wire.backend, gpuBackends, 'profile.gpus.backend'),
    vramTotalBytes: integerOrNull(wire.vramTotalBytes, 'profile.gpus.vram_total_bytes'),
    vramFreeBytes: integerOrNull(wire.vramFreeBytes, 'profile.gpus.vram_free_bytes'),
    unifiedMemory: wire.unifiedMemory,
  }
}

function encodeInterface(one: NetworkInterfaceProfile): WireInterface {
  const wire: WireInterface = { name: one.name, address: one.address, family: one.family, kind: one.kind }
  if (one.speedMbitPerSecond !== null) wire.speedMbitPerSecond = one.speedMbitPerSecond
  return wire
}

function parseInterface(wire: WireInterfaceRead): NetworkInterfaceProfile {
  return {
    name: wire.name,
    address: wire.address,
    family: parseOneOf(wire.family, addressFamilies, 'profile.interfaces.family'),
    kind: parseOneOf(wire.kind, interfaceKinds, 'profile.interfaces.kind'),
    speedMbitPerSecond: finiteOrNull(wire.speedMbitPerSecond, 'profile.interfaces.speed_mbit_per_second'),
  }
}
