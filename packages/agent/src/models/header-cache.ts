import path from 'node:path'
import type { Log, ModelManifest } from '@shoal/core'
import { readJsonFile, writeJsonFile } from '@shoal/runtime'
import type { ModelFileSet } from './scan.ts'

interface CachedHeader {
  readonly bytes: number
  readonly mtimeMs: number
  readonly manifest: ModelManifest
  readonly sha256: string | null
}

/** What was read from files that have not changed since (same path, size and time of change). */
export interface HeaderCache {
  get(set: ModelFileSet): Pick<CachedHeader, 'manifest' | 'sha256'> | null
  put(set: ModelFileSet, manifest: ModelManifest, sha256: string | null): void
  /** Writes what changed; a disk that refuses costs the cache only. */
  save(): Promise<void>
}

/** Raised whenever manifests are read differently: older entries are then read again. */
const formatVersion = 1

const entriesMax = 2_000

export async function openHeaderCache(cacheDirectory: string, log: Log): Promise<HeaderCache> {
  const file = path.join(cacheDirectory, 'model-headers.json')
  const entries = new Map(await readJsonFile(file, parseEntries, log))
  let dirty = false
  return {
    get(set) {
      const entry = entries.get(set.path)
      return entry?.bytes === set.bytes && entry.mtimeMs === set.mtimeMs ? entry : null
    },
    put(set, manifest, sha256) {
      // Deleted first, so that the order of the map is the order of use and the oldest entry goes.
      entries.delete(set.path)
      entries.set(set.path, { bytes: set.bytes, mtimeMs: set.mtimeMs, manifest, sha256 })
      for (const oldest of entries.keys()) {
        if (entries.size <= entriesMax) break
        entries.delete(oldest)
      }
      dirty = true
    },
    async save() {
      if (!dirty) return
      dirty = false
      try {
        await writeJsonFile(file, { formatVersion, entries: [...entries] })
      } catch (error) {
        log.warn({ file, err: error }, 'the cache of model headers could not be written')
      }
    },
  }
}

function parseEntries(value: unknown): [string, CachedHeader][] {
  const stored = value as { formatVersion?: unknown; entries?: unknown }
  if (stored.formatVersion !== formatVersion || !Array.isArray(stored.entries)) return []
  return stored.entries as [string, CachedHeader][]
}
