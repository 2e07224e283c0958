import type { LoadOptions, ModelManifest } from '@shoal/core'
import type { ModelDimensions, Sizing } from '@shoal/planner'

/** A file whose header was checked. */
export interface ModelOnDisk {
  /** Absolute path of the (first part of the) file. */
  readonly path: string
  readonly sha256: string | null
  readonly manifest: ModelManifest
}

/** What a load will take, worked out before it. */
export interface LoadPlan {
  readonly options: LoadOptions
  readonly sizing: Sizing
  readonly dimensions: ModelDimensions
  /** The GPU planned with shares its memory with the CPU. */
  readonly unifiedMemory: boolean
}

export interface LoadProgress {
  readonly status: 'downloading' | 'loading'
  /** 0 to 1; null = the size is not known. */
  readonly progress: number | null
}
