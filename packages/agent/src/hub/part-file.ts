import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { ShoalError } from '@shoal/core'
import { cancelled, isErrno } from '../time.ts'

/**
 * The bytes of a download that came so far, in `<path>.part`, and their running SHA-256. It outlives the process: opening it again
 * reads what is there into the digest and goes on behind it.
 */
export class PartFile implements AsyncDisposable {
  readonly path: string
  readonly finalPath: string
  #handle: FileHandle
  #bytes: number
  #hash = createHash('sha256')

  private constructor(finalPath: string, handle: FileHandle) {
    this.finalPath = finalPath
    this.path = partPathOf(finalPath)
    this.#handle = handle
    this.#bytes = 0
  }

  static async open(finalPath: string, signal: AbortSignal): Promise<PartFile> {
    const partPath = partPathOf(finalPath)
    try {
      await mkdir(path.dirname(finalPath), { recursive: true })
      const part = new PartFile(finalPath, await open(partPath, 'a+'))
      try {
        for await (const chunk of createReadStream(partPath, { highWaterMark: 1 << 20, signal })) part.#count(chunk)
        return part
      } catch (error) {
        await part.#handle.close()
        throw error
      }
    } catch (error) {
      if (signal.aborted) throw cancelled(`Reading the part of ${path.basename(finalPath)} was cancelled.`)
      throw diskError(error, finalPath)
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  async append(chunk: Uint8Array): Promise<void> {
    try {
      let offset = 0
      while (offset < chunk.byteLength) {
        const { bytesWritten } = await this.#handle.write(chunk, offset)
        this.#count(chunk.subarray(offset, offset + bytesWritten))
        offset += bytesWritten
      }
    } catch (error) {
      throw diskError(error, this.finalPath)
    }
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0)
    this.#bytes = 0
    this.#hash = createHash('sha256')
  }

  sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Makes it the finished file, in one step. */
  async finish(): Promise<void> {
    try {
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.path, this.finalPath)
    } catch (error) {
      throw diskError(error, this.finalPath)
    }
  }

  async discard(): Promise<void> {
    await this.#handle.close()
    await rm(this.path, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Closed already after finish and discard.
    await this.#handle.close().catch(() => undefined)
  }

  #count(chunk: Uint8Array): void {
    this.#hash.update(chunk)
    this.#bytes += chunk.byteLength
  }
}

export const partPathOf = (finalPath: string): string => `${finalPath}.part`

function diskError(error: unknown, file: string): unknown {
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new ShoalError({
      code: 'DISK_FULL',
      message: `No space is left for ${file}; what came so far is kept beside it.`,
      cause: error,
    })
  }
  if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM') || isErrno(error, 'EROFS')) {
    return new ShoalError({
      code: 'DOWNLOAD_FAILED',
      message: `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      remedy: 'Make the models folder writable, or choose another with --models-dir.',
      cause: error,
    })
  }
  return error
}
