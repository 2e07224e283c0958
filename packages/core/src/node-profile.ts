export interface CpuProfile {
  readonly model: string | null
  /** `x64`, `arm64`, ... as Node names it. */
  readonly architecture: string
  readonly physicalCores: number | null
  readonly logicalCores: number
  /** Cores this process may use: affinity and cgroup quota applied; may be a fraction. */
  readonly usableCores: number
  /** Instruction sets that matter for inference, for example `avx2`, `avx512f`, `neon`, `dotprod`. Null = could not be read. */
  readonly instructionSets: readonly string[] | null
}

export interface MemoryProfile {
  readonly totalBytes: number
  /** min(total, cgroup v1/v2 limits): what this process may use at most. */
  readonly limitBytes: number
  /** What could be used now without swapping, within the limit. */
  readonly availableBytes: number
  /** Read bandwidth of one short probe, bytes per second over all usable cores; null = not measured. */
  readonly bandwidthBytesPerSecond: number | null
}

export interface GpuProfile {
  readonly name: string
  /** Backend that can really use it. */
  readonly backend: 'cuda' | 'vulkan' | 'metal'
  /** Null = the driver does not say. */
  readonly vramTotalBytes: number | null
  readonly vramFreeBytes: number | null
  /** True where GPU and CPU share one memory (Apple, Jetson-style): do not add it to RAM. */
  readonly unifiedMemory: boolean
}

export interface DiskProfile {
  /** Folder that holds the models. */
  readonly path: string
  readonly totalBytes: number
  readonly freeBytes: number
}

export interface BatteryProfile {
  /** 0 to 1; null = not reported. */
  readonly charge: number | null
  readonly onMains: boolean | null
}

export interface NetworkInterfaceProfile {
  readonly name: string
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly kind: 'wired' | 'wireless' | 'virtual' | 'loopback' | 'unknown'
  readonly speedMbitPerSecond: number | null
}

/** What one machine is. Unknown is null, never invented. */
export interface NodeProfile {
  readonly hostname: string
  readonly platform: string
  readonly osRelease: string
  readonly cpu: CpuProfile
  readonly memory: MemoryProfile
  readonly gpus: readonly GpuProfile[]
  readonly disk: DiskProfile | null
  readonly battery: BatteryProfile | null
  readonly interfaces: readonly NetworkInterfaceProfile[]
}
