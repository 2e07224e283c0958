import type { HeaderCursor } from './header-cursor.ts'

/** Text too long to be worth keeping, for example an embedded tokenizer file. */
interface SkippedText {
  readonly kind: 'skipped-text'
  readonly bytes: number
}

/** `values` is null when the array is long (vocabularies, merges) or of strings: only its count is kept. */
export interface MetadataArray {
  readonly kind: 'array'
  readonly elementType: MetadataType
  readonly count: number
  readonly values: readonly (number | bigint | boolean)[] | null
}

/** 64-bit integers are numbers up to 2^53 - 1 and bigints beyond. */
export type MetadataValue = number | bigint | boolean | string | SkippedText | MetadataArray

export type MetadataType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'bool' | 'string' | 'array' | 'u64' | 'i64' | 'f64'

/** By GGUF's type id. */
export const metadataTypes: readonly MetadataType[] = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
]

const scalarBytes: Readonly<Record<Exclude<MetadataType, 'string' | 'array'>, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  u64: 8,
  i64: 8,
  f64: 8,
}
type ScalarType = keyof typeof scalarBytes

const keyBytesMax = 65_535
/** Chat templates are the longest text of use; the longest known are below 100 KB. */
const textBytesMax = 1024 * 1024
/** Per-layer arrays are kept; llama.cpp allows 512 layers. */
const keptElementsMax = 1024

const text = new TextDecoder('utf-8')
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A key or tensor name: valid UTF-8, not empty. */
export async function readName(cursor: HeaderCursor, what: string, bytesMax = keyBytesMax): Promise<string> {
  const length = await cursor.u64(`length of ${what}`)
  if (length === 0) throw cursor.invalid(`${what} is empty`)
  if (length > bytesMax) throw cursor.invalid(`${what} is ${length} bytes long, at most ${bytesMax} are allowed`)
  const bytes = await cursor.bytes(length, what)
  try {
    return strictText.decode(bytes)
  } catch {
    throw cursor.invalid(`${what} is not valid UTF-8`)
  }
}

export async function readMetadataValue(cursor: HeaderCursor, key: string): Promise<MetadataValue> {
  const type = await readType(cursor, key)
  if (type === 'array') return await readArray(cursor, key)
  if (type === 'string') return await readText(cursor, key)
  return scalarAt(await cursor.bytes(scalarBytes[type], key), 0, type)
}

async function readType(cursor: HeaderCursor, key: string): Promise<MetadataType> {
  const id = await cursor.u32(`type of ${key}`)
  const type = metadataTypes[id]
  if (type === undefined) throw cursor.invalid(`key ${key} has unknown type ${id}`)
  return type
}

async function readText(cursor: HeaderCursor, key: string): Promise<string | SkippedText> {
  const length = await cursor.u64(`length of ${key}`)
  if (length > textBytesMax) {
    await cursor.skip(length, key)
    return { kind: 'skipped-text', bytes: length }
  }
  return text.decode(await cursor.bytes(length, key))
}

async function readArray(cursor: HeaderCursor, key: string): Promise<MetadataArray> {
  const elementType = await readType(cursor, key)
  if (elementType === 'array') throw cursor.invalid(`key ${key} is an array of arrays, which GGUF readers do not support`)
  const count = await cursor.u64(`length of ${key}`)
  // The cheapest string takes its 8 bytes of length.
  const elementBytesMin = elementType === 'string' ? 8 : scalarBytes[elementType]
  if (count * elementBytesMin > cursor.remainingBytes) {
    throw cursor.invalid(`key ${key} claims ${count} elements, the ${cursor.remainingBytes} bytes left cannot hold them`)
  }
  if (elementType === 'string') {
    await cursor.skipStrings(count, key)
    return { kind: 'array', elementType, count, values: null }
  }
  if (count > keptElementsMax) {
    await cursor.skip(count * elementBytesMin, key)
    return { kind: 'array', elementType, count, values: null }
  }
  const bytes = await cursor.bytes(count * elementBytesMin, key)
  const values = Array.from({ length: count }, (_, index) => scalarAt(bytes, index * elementBytesMin, elementType))
  return { kind: 'array', elementType, count, values }
}

function scalarAt(view: DataView, at: number, type: ScalarType): number | bigint | boolean {
  switch (type) {
    case 'u8':
      return view.getUint8(at)
    case 'i8':
      return view.getInt8(at)
    case 'u16':
      return view.getUint16(at, true)
    case 'i16':
      return view.getInt16(at, true)
    case 'u32':
      return view.getUint32(at, true)
    case 'i32':
      return view.getInt32(at, true)
    case 'f32':
      return view.getFloat32(at, true)
    case 'bool':
      return view.getUint8(at) !== 0
    case 'u64':
      return numberIfSafe(view.getBigUint64(at, true))
    case 'i64':
      return numberIfSafe(view.getBigInt64(at, true))
    case 'f64':
      return view.getFloat64(at, true)
  }
}

const numberIfSafe = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value)
