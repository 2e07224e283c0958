import type { GgufHeader } from './header.ts'
import type { HeaderCursor } from './header-cursor.ts'
import { invalidFile } from './invalid-file.ts'
import { readName } from './metadata.ts'
import { type TensorType, tensorTypeById } from './tensor-types.ts'

export interface TensorInfo {
  readonly name: string
  readonly type: TensorType
  /** ggml order: the first dimension is the row, contiguous in memory. */
  readonly dims: readonly number[]
  readonly elements: number
  readonly bytes: number
  /** From the start of the tensor data, not of the file. */
  readonly offset: number
}

/** ggml keeps names in 64 bytes with the closing zero, and up to four dimensions. */
const nameBytesMax = 63
const dimsMax = 4

export async function readTensorInfo(cursor: HeaderCursor, index: number, alignment: number): Promise<TensorInfo> {
  const name = await readName(cursor, `name of tensor ${index}`, nameBytesMax)
  const what = `tensor ${name}`
  const dimsCount = await cursor.u32(`number of dimensions of ${what}`)
  if (dimsCount > dimsMax) throw cursor.invalid(`${what} claims ${dimsCount} dimensions, at most ${dimsMax} are allowed`)
  const dims: number[] = []
  let elements = 1
  for (let dim = 0; dim < dimsCount; dim += 1) {
    const length = await cursor.u64(`dimension ${dim} of ${what}`)
    elements *= length
    if (length === 0) throw cursor.invalid(`${what} has an empty dimension`)
    if (!Number.isSafeInteger(elements)) throw cursor.invalid(`${what} claims more than 2^53 elements`)
    dims.push(length)
  }
  const typeId = await cursor.u32(`type of ${what}`)
  const type = tensorTypeById(typeId)
  if (type === null) throw cursor.invalid(`${what} has unknown type ${typeId}`)
  const rowElements = dims[0] ?? 1
  if (rowElements % type.blockElements !== 0) {
    throw cursor.invalid(`${what} has rows of ${rowElements}, ${type.name} needs a multiple of ${type.blockElements}`)
  }
  const bytes = (elements / type.blockElements) * type.typeBytes
  if (!Number.isSafeInteger(bytes)) throw cursor.invalid(`${what} claims more than 2^53 bytes`)
  const offset = await cursor.u64(`offset of ${what}`)
  if (offset % alignment !== 0) throw cursor.invalid(`${what} begins at ${offset}, which is no multiple of the alignment ${alignment}`)
  return { name, type, dims, elements, bytes, offset }
}

/** Every tensor lies inside the file and no two share a byte. */
export function checkTensorPlaces(header: GgufHeader): void {
  const sorted = [...header.tensors].sort((a, b) => a.offset - b.offset)
  let last: TensorInfo | null = null
  for (const tensor of sorted) {
    if (last !== null && tensor.offset < last.offset + last.bytes) {
      throw invalidFile(header.name, `tensors ${last.name} and ${tensor.name} overlap`)
    }
    const end = header.dataOffset + tensor.offset + tensor.bytes
    if (end > header.sizeBytes) {
      throw invalidFile(header.name, `file ends at byte ${header.sizeBytes}, tensor ${tensor.name} needs ${end}`)
    }
    last = tensor
  }
}
