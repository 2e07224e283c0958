import { statfs } from 'node:fs/promises'
import path from 'node:path'
import { ShoalError } from '@shoal/core'

/** Rejects with DISK_FULL when the disk has less free than is still to come; a total of null passes. */
export async function checkSpace(file: { readonly path: string }, presentBytes: number, totalBytes: number | null): Promise<void> {
  if (totalBytes === null) return
  const folder = path.dirname(file.path)
  const disk = await statfs(folder)
  const freeBytes = disk.bavail * disk.bsize
  const missingBytes = totalBytes - presentBytes
  if (missingBytes > freeBytes) {
    throw new ShoalError({
      code: 'DISK_FULL',
      message: `${path.basename(file.path)} needs ${missingBytes} more bytes, but ${folder} has ${freeBytes} free.`,
    })
  }
}
