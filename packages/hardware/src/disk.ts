import { statfs } from 'node:fs/promises'
import path from 'node:path'
import type { DiskProfile } from '@shoal/core'

/**
 * The disk the models folder is or will be on: a folder that does not exist yet is on the disk of its nearest existing parent.
 * `freeBytes` is what this user may fill, without the blocks kept for root. Null when not even the root can be asked.
 */
export async function readDisk(modelsDir: string): Promise<DiskProfile | null> {
  const absolute = path.resolve(modelsDir)
  for (let folder = absolute; ; folder = path.dirname(folder)) {
    const stats = await statfs(folder).catch(() => null)
    if (stats !== null) return { path: absolute, totalBytes: stats.blocks * stats.bsize, freeBytes: stats.bavail * stats.bsize }
    if (folder === path.dirname(folder)) return null
  }
}
