import type { GpuProfile, NodeProfile } from '@shoal/core'

const mebibyte = 2 ** 20

export interface MemoryBudget {
  /** What could be used now, reserve included. */
  readonly ramBytes: number
  readonly ramReserveBytes: number
  /** The GPUs to plan with; null = none, or their memory is unknown. */
  readonly gpu: GpuBudget | null
}

export interface GpuBudget {
  readonly name: string
  readonly backend: GpuProfile['backend']
  /** Of all GPUs together. */
  readonly vramBytes: number
  readonly vramReserveBytes: number
  /** It is the RAM again: do not add it. */
  readonly unifiedMemory: boolean
}

/**
 * What a new model may take on this machine. `freedBytes`: RAM that models to be unloaded before will give back.
 * The reserve is for the system and for other programs to grow: 5 % of the memory limit and at least 512 MiB, on a machine that people sit at
 * (macOS, Windows, anything with a battery) 10 % and at least 1 GiB. What other programs use now is already missing from
 * `availableBytes`. In VRAM 5 % and at least 256 MiB stay free: drivers and compute libraries take their share when a context is made.
 */
export function memoryBudget(profile: NodeProfile, freedBytes = 0): MemoryBudget {
  const { availableBytes, limitBytes } = profile.memory
  const isPersonal = profile.platform === 'darwin' || profile.platform === 'win32' || profile.battery !== null
  const ramReserveBytes = isPersonal ? Math.max(1024 * mebibyte, limitBytes * 0.1) : Math.max(512 * mebibyte, limitBytes * 0.05)
  return {
    ramBytes: Math.min(availableBytes + freedBytes, limitBytes),
    ramReserveBytes: Math.round(ramReserveBytes),
    gpu: gpuBudget(profile.gpus),
  }
}

/** GPUs with memory of their own before those that share the RAM; of several kinds that with most memory, since an engine uses one. */
function gpuBudget(gpus: readonly GpuProfile[]): GpuBudget | null {
  const groups = new Map<string, GpuBudget>()
  for (const gpu of gpus) {
    const bytes = gpu.vramFreeBytes ?? gpu.vramTotalBytes
    if (bytes === null) continue
    const key = `${gpu.unifiedMemory} ${gpu.backend}`
    const known = groups.get(key)
    const vramBytes = bytes + (known?.vramBytes ?? 0)
    const vramReserveBytes = Math.round(Math.max(256 * mebibyte, bytes * 0.05)) + (known?.vramReserveBytes ?? 0)
    const { backend, unifiedMemory } = gpu
    groups.set(key, { name: known?.name ?? gpu.name, backend, vramBytes, vramReserveBytes, unifiedMemory })
  }
  const [best] = [...groups.values()].sort((a, b) => Number(a.unifiedMemory) - Number(b.unifiedMemory) || b.vramBytes - a.vramBytes)
  return best ?? null
}
