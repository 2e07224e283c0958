import type { ByteSource } from './byte-source.ts'
import { invalidFile } from './invalid-file.ts'

/** Bytes fetched at a time, one HTTP range or one read of a file: doubles from the first to the last figure, so that a header of 11 MB takes four. */
const windowBytesMin = 1024 * 1024
const windowBytesMax = 4 * 1024 * 1024
/** The largest headers in circulation hold 260,000 tokens and as many merges: about 11 MB, some 20 more with a tokenizer file inside. */
const headerBytesMax = 64 * 1024 * 1024

/**
 * Walks a header front to back. Every length is compared with the bytes that are left before anything is read or allocated, so what
 * a header claims can cost at most one window of memory and one pass over bytes that exist.
 */
export class HeaderCursor {
  readonly #source: ByteSource
  readonly #endOffset: number
  #window: DataView = new DataView(new ArrayBuffer(0))
  #windowOffset = 0
  #windowBytes = windowBytesMin
  #position = 0

  constructor(source: ByteSource) {
    this.#source = source
    this.#endOffset = Math.min(source.sizeBytes, headerBytesMax)
  }

  get position(): number {
    return this.#position
  }

  /** Bytes that could still belong to the header. */
  get remainingBytes(): number {
    return this.#endOffset - this.#position
  }

  async u32(what: string): Promise<number> {
    await this.#need(4, what)
    const value = this.#window.getUint32(this.#position - this.#windowOffset, true)
    this.#position += 4
    return value
  }

  /** A count, length or offset: refused above 2^53 - 1, which no file reaches. */
  async u64(what: string): Promise<number> {
    await this.#need(8, what)
    const value = this.#peekU64()
    if (!Number.isSafeInteger(value)) throw this.invalid(`${what} at byte ${this.#position} is beyond 2^53`)
    this.#position += 8
    return value
  }

  /** The next `length` bytes, valid until the next call; at most one window. */
  async bytes(length: number, what: string): Promise<DataView> {
    await this.#need(length, what)
    const view = new DataView(this.#window.buffer, this.#window.byteOffset + this.#position - this.#windowOffset, length)
    this.#position += length
    return view
  }

  async skip(length: number, what: string): Promise<void> {
    if (length > this.remainingBytes) throw this.#endsBefore(length, what)
    this.#position += length
  }

  /** Walks over `count` strings without keeping any. */
  async skipStrings(count: number, what: string): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      if (!this.#has(8)) await this.#need(8, what)
      const length = this.#peekU64()
      this.#position += 8
      if (length > this.remainingBytes) throw this.#endsBefore(length, `${what}, element ${index},`)
      this.#position += length
    }
  }

  invalid(problem: string): Error {
    return invalidFile(this.#source.name, problem)
  }

  #has(length: number): boolean {
    const from = this.#position - this.#windowOffset
    return from >= 0 && from + length <= this.#window.byteLength
  }

  async #need(length: number, what: string): Promise<void> {
    if (this.#has(length)) return
    if (length > this.remainingBytes) throw this.#endsBefore(length, what)
    const bytes = await this.#source.read(this.#position, Math.min(Math.max(length, this.#windowBytes), this.remainingBytes))
    this.#windowBytes = Math.min(this.#windowBytes * 2, windowBytesMax)
    this.#window = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#windowOffset = this.#position
  }

  #peekU64(): number {
    const at = this.#position - this.#windowOffset
    return this.#window.getUint32(at, true) + this.#window.getUint32(at + 4, true) * 2 ** 32
  }

  #endsBefore(length: number, what: string): Error {
    if (this.#endOffset < this.#source.sizeBytes) return this.invalid(`its header is longer than ${headerBytesMax} bytes`)
    return this.invalid(`file ends at byte ${this.#source.sizeBytes}, ${what} needs ${length} bytes from byte ${this.#position}`)
  }
}
