import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { ShoalError } from '@shoal/core'
import { alignUp, encodeHeader, type MetadataInputs, type TensorLayout } from './header-encoder.ts'

/** A tensor whose bytes are made while they are written. */
export interface TensorPlan extends TensorLayout {
  /**
   * Fills `target` with rows `firstRow` to `firstRow + rowCount`, counted over all dimensions but the first.
   * Called once for every row, in order.
   */
  fillRows(target: Uint8Array, firstRow: number, rowCount: number): void
}

export interface GgufPlan {
  readonly metadata: MetadataInputs
  readonly tensors: readonly TensorPlan[]
}

/** Memory a write takes, whatever the size of the file. */
const chunkBytesMax = 4 * 1024 * 1024

/**
 * Writes a GGUF under a temporary name beside `path` and renames it when it is whole: nobody ever sees half a model.
 * @throws ShoalError DISK_FULL, or INTERNAL with the system's error as cause; RangeError when rows do not fit their type's blocks.
 */
export async function writeGguf(plan: GgufPlan, path: string): Promise<void> {
  const partial = `${path}.${randomUUID()}.part`
  try {
    await using file = await open(partial, 'w')
    const header = encodeHeader(plan.metadata, plan.tensors)
    await file.appendFile(header.bytes)
    for (const [index, tensor] of plan.tensors.entries()) {
      const bytes = header.tensorBytes[index] ?? 0
      const rows = tensor.dims.slice(1).reduce((product, dim) => product * dim, 1)
      const rowBytes = bytes / rows
      const chunkRows = Math.max(1, Math.floor(chunkBytesMax / rowBytes))
      for (let row = 0; row < rows; row += chunkRows) {
        const rowCount = Math.min(chunkRows, rows - row)
        const chunk = new Uint8Array(rowCount * rowBytes)
        tensor.fillRows(chunk, row, rowCount)
        await file.appendFile(chunk)
      }
      await file.appendFile(new Uint8Array(alignUp(bytes) - bytes))
    }
  } catch (cause) {
    await rm(partial, { force: true })
    throw writeError(path, cause)
  }
  await rename(partial, path)
}

/** Errors of the system become ShoalErrors; others (impossible dimensions) stay what they are. */
function writeError(path: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === undefined) return cause
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ShoalError({ code: 'DISK_FULL', message: `${path}: no space left while writing the model`, cause })
  }
  return new ShoalError({
    code: 'INTERNAL',
    message: `${path}: the model could not be written (${code})`,
    remedy: 'Check that the folder exists and that this user may write in it.',
    cause,
  })
}
