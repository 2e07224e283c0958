import { createHash } from 'node:crypto'
import { type CancelSignal, ShoalError } from '@shoal/core'
import { openFileSource } from './byte-source.ts'

export interface Sha256Options {
  /** Called with 0 to 1 after every chunk. */
  readonly onProgress?: (progress: number) => void
  readonly signal?: CancelSignal
}

/** Hashed in one turn: about a millisecond, so that whoever streams tokens in this process is not kept waiting. */
const chunkBytes = 1024 * 1024

/**
 * SHA-256 over the whole file, in hex.
 * @throws ShoalError MODEL_FILE_MISSING, MODEL_FILE_INVALID, or CANCELLED when the signal aborts.
 */
export async function sha256File(path: string, { onProgress, signal }: Sha256Options = {}): Promise<string> {
  await using source = await openFileSource(path)
  const hash = createHash('sha256')
  for (let offset = 0; offset < source.sizeBytes; ) {
    if (signal?.aborted === true) throw new ShoalError({ code: 'CANCELLED', message: `${path}: hashing was cancelled` })
    const bytes = await source.read(offset, Math.min(chunkBytes, source.sizeBytes - offset))
    hash.update(bytes)
    offset += bytes.length
    onProgress?.(offset / source.sizeBytes)
  }
  return hash.digest('hex')
}
