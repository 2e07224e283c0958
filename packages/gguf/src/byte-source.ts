import { open } from 'node:fs/promises'
import { ShoalError } from '@shoal/core'
import { invalidFile } from './invalid-file.ts'

/** Bytes that can be read at any place: a local file here, a file behind HTTP ranges elsewhere. */
export interface ByteSource {
  /** Path or URL, for messages. */
  readonly name: string
  readonly sizeBytes: number
  /** Exactly `length` bytes from `offset`. The reader never asks beyond `sizeBytes`. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** A source that holds an open file. */
export interface FileSource extends ByteSource, AsyncDisposable {}

/**
 * Opens a regular file for reading.
 * @throws ShoalError MODEL_FILE_MISSING when there is none, MODEL_FILE_INVALID when it is no file or cannot be read.
 */
export async function openFileSource(path: string): Promise<FileSource> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw openError(path, cause)
  })
  const status = await file.stat()
  if (!status.isFile()) {
    await file.close()
    throw invalidFile(path, 'is not a regular file')
  }
  return {
    name: path,
    sizeBytes: status.size,
    async read(offset, length) {
      const buffer = new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
        if (bytesRead === 0) throw invalidFile(path, `was cut to ${offset + filled} bytes while it was read`)
        filled += bytesRead
      }
      return buffer
    },
    async [Symbol.asyncDispose]() {
      await file.close()
    },
  }
}

function openError(path: string, cause: unknown): ShoalError {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new ShoalError({ code: 'MODEL_FILE_MISSING', message: `${path}: there is no such file`, cause })
  }
  return new ShoalError({
    code: 'MODEL_FILE_INVALID',
    message: `${path}: cannot be opened (${code ?? String(cause)})`,
    remedy: 'Check that this user may read the file.',
    cause,
  })
}
