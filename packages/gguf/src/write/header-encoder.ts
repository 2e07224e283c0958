import { type MetadataType, metadataTypes } from '../metadata.ts'
import type { TensorType } from '../tensor-types.ts'

/** A value to be written, with its GGUF type. */
export type MetadataInput =
  | { readonly type: 'u32' | 'i32' | 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'array'; readonly elementType: 'u32' | 'i32' | 'f32'; readonly values: readonly number[] }
  | { readonly type: 'array'; readonly elementType: 'string'; readonly values: readonly string[] }

export const u32 = (value: number): MetadataInput => ({ type: 'u32', value })
export const f32 = (value: number): MetadataInput => ({ type: 'f32', value })
export const flag = (value: boolean): MetadataInput => ({ type: 'bool', value })
export const text = (value: string): MetadataInput => ({ type: 'string', value })
export const texts = (values: readonly string[]): MetadataInput => ({ type: 'array', elementType: 'string', values })
export const i32s = (values: readonly number[]): MetadataInput => ({ type: 'array', elementType: 'i32', values })

export type MetadataInputs = Readonly<Record<string, MetadataInput>>

export interface TensorLayout {
  readonly name: string
  readonly type: TensorType
  /** ggml order, row first. */
  readonly dims: readonly number[]
}

export interface EncodedHeader {
  /** Padded to the alignment: the tensor data follows at once. */
  readonly bytes: Uint8Array
  /** Of each tensor, in order. */
  readonly tensorBytes: readonly number[]
}

const writeAlignment = 32

export const alignUp = (bytes: number): number => Math.ceil(bytes / writeAlignment) * writeAlignment

/** Encodes a GGUF version 3 header; tensors lie one after the other in the given order, which is the only layout llama.cpp accepts. */
export function encodeHeader(metadata: MetadataInputs, tensors: readonly TensorLayout[]): EncodedHeader {
  const out = new ByteWriter()
  out.raw(Buffer.from('GGUF'))
  out.u32(3)
  out.u64(tensors.length)
  out.u64(Object.keys(metadata).length)
  for (const [key, input] of Object.entries(metadata)) {
    out.string(key)
    out.u32(typeId(input.type))
    writeInput(out, input)
  }
  const tensorBytes = tensors.map(bytesOf)
  let offset = 0
  for (const [index, tensor] of tensors.entries()) {
    out.string(tensor.name)
    out.u32(tensor.dims.length)
    for (const dim of tensor.dims) out.u64(dim)
    out.u32(tensor.type.id)
    out.u64(offset)
    offset += alignUp(tensorBytes[index] ?? 0)
  }
  out.raw(Buffer.alloc(alignUp(out.length) - out.length))
  return { bytes: out.bytes(), tensorBytes }
}

function writeInput(out: ByteWriter, input: MetadataInput): void {
  if (input.type !== 'array') {
    if (input.type === 'string') out.string(input.value)
    else if (input.type === 'bool') out.raw(Buffer.of(input.value ? 1 : 0))
    else out.number(input.type, input.value)
    return
  }
  out.u32(typeId(input.elementType))
  out.u64(input.values.length)
  if (input.elementType === 'string') {
    for (const value of input.values) out.string(value)
  } else {
    for (const value of input.values) out.number(input.elementType, value)
  }
}

const typeId = (type: MetadataType): number => metadataTypes.indexOf(type)

function bytesOf({ name, type, dims }: TensorLayout): number {
  const elements = dims.reduce((product, dim) => product * dim, 1)
  if ((dims[0] ?? 1) % type.blockElements !== 0) {
    throw new RangeError(`${name}: rows of ${dims[0]} do not divide into ${type.name} blocks of ${type.blockElements}`)
  }
  return (elements / type.blockElements) * type.typeBytes
}

/** Little-endian values into a buffer that doubles when it is full. */
class ByteWriter {
  #buffer = Buffer.alloc(64 * 1024)
  length = 0

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  u32(value: number): void {
    this.number('u32', value)
  }

  u64(value: number): void {
    this.number('u32', value % 2 ** 32)
    this.number('u32', Math.floor(value / 2 ** 32))
  }

  number(type: 'u32' | 'i32' | 'f32', value: number): void {
    this.#reserve(4)
    if (type === 'u32') this.#buffer.writeUInt32LE(value, this.length)
    else if (type === 'i32') this.#buffer.writeInt32LE(value, this.length)
    else this.#buffer.writeFloatLE(value, this.length)
    this.length += 4
  }

  string(value: string): void {
    const bytes = Buffer.byteLength(value)
    this.u64(bytes)
    this.#reserve(bytes)
    this.#buffer.write(value, this.length)
    this.length += bytes
  }

  /** All bytes so far. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return
    const grown = Buffer.alloc(Math.max(this.#buffer.length * 2, this.length + bytes))
    grown.set(this.#buffer)
    this.#buffer = grown
  }
}
