import type { ByteSource } from './byte-source.ts'
import { HeaderCursor } from './header-cursor.ts'
import { type MetadataValue, readMetadataValue, readName } from './metadata.ts'
import { checkTensorPlaces, readTensorInfo, type TensorInfo } from './tensor-info.ts'

/** What one GGUF file says before its tensor data, checked against the size of the file. */
export interface GgufHeader {
  /** Path or URL the header was read from. */
  readonly name: string
  readonly version: number
  readonly sizeBytes: number
  readonly metadata: ReadonlyMap<string, MetadataValue>
  /** In file order; every range lies inside the file and none overlap. */
  readonly tensors: readonly TensorInfo[]
  readonly alignment: number
  /** First byte of the tensor data. */
  readonly dataOffset: number
}

/** "GGUF" read as a little-endian number. */
const magic = 0x46554747
const alignmentDefault = 32
/** The largest models in circulation have about 2,000 tensors and 100 keys. */
const tensorsMax = 65_536
const keysMax = 65_536
/** Bytes of the shortest key (length, one letter, type, one byte) and of the shortest tensor entry. */
const keyBytesMin = 8 + 1 + 4 + 1
const tensorBytesMin = 8 + 1 + 4 + 4 + 8

/**
 * Reads and checks a header. Trusts no count: memory and time are bounded by the bytes that exist, long arrays are walked, not kept.
 * @throws ShoalError MODEL_FILE_INVALID that names the file, the field and the byte.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const cursor = new HeaderCursor(source)
  if (source.sizeBytes < 24) throw cursor.invalid(`is ${source.sizeBytes} bytes long, a GGUF header takes at least 24`)
  const version = await readVersion(cursor)
  const tensorCount = await readCount(cursor, 'tensors', tensorsMax, tensorBytesMin)
  const keyCount = await readCount(cursor, 'keys', keysMax, keyBytesMin)

  const metadata = new Map<string, MetadataValue>()
  for (let index = 0; index < keyCount; index += 1) {
    const key = await readName(cursor, `key ${index}`)
    if (metadata.has(key)) throw cursor.invalid(`key ${key} appears twice`)
    metadata.set(key, await readMetadataValue(cursor, key))
  }
  const alignment = alignmentOf(metadata, cursor)

  const tensors = new Map<string, TensorInfo>()
  for (let index = 0; index < tensorCount; index += 1) {
    const tensor = await readTensorInfo(cursor, index, alignment)
    if (tensors.has(tensor.name)) throw cursor.invalid(`tensor ${tensor.name} appears twice`)
    tensors.set(tensor.name, tensor)
  }
  const dataOffset = Math.ceil(cursor.position / alignment) * alignment
  const header: GgufHeader = {
    name: source.name,
    version,
    sizeBytes: source.sizeBytes,
    metadata,
    tensors: [...tensors.values()],
    alignment,
    dataOffset,
  }
  checkTensorPlaces(header)
  return header
}

async function readVersion(cursor: HeaderCursor): Promise<number> {
  if ((await cursor.u32('the magic number')) !== magic) throw cursor.invalid('does not begin with "GGUF"')
  const version = await cursor.u32('the version')
  if (version === 2 || version === 3) return version
  if ((version & 0xffff) === 0) throw cursor.invalid('was written for big-endian machines; use the little-endian file')
  throw cursor.invalid(`has GGUF version ${version}; versions 2 and 3 can be read`)
}

async function readCount(cursor: HeaderCursor, what: string, max: number, bytesMin: number): Promise<number> {
  const count = await cursor.u64(`the number of ${what}`)
  if (count > max) throw cursor.invalid(`claims ${count} ${what}, at most ${max} are allowed`)
  if (count * bytesMin > cursor.remainingBytes) throw cursor.invalid(`claims ${count} ${what}, the file is too short to hold them`)
  return count
}

function alignmentOf(metadata: ReadonlyMap<string, MetadataValue>, cursor: HeaderCursor): number {
  const alignment = metadata.get('general.alignment') ?? alignmentDefault
  if (typeof alignment !== 'number' || !Number.isInteger(alignment) || alignment < 1 || (alignment & (alignment - 1)) !== 0) {
    throw cursor.invalid(`general.alignment is ${String(alignment)}, it must be a power of two`)
  }
  return alignment
}
