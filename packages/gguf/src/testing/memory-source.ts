import type { ByteSource } from '../byte-source.ts'

/** A source in memory that keeps count of what was read; `sizeBytes` may claim more than the bytes that are there. */
export interface MemorySource extends ByteSource {
  readonly reads: readonly { readonly offset: number; readonly length: number }[]
}

export function memorySource(bytes: Uint8Array, sizeBytes: number = bytes.length): MemorySource {
  const reads: { offset: number; length: number }[] = []
  return {
    name: 'memory.gguf',
    sizeBytes,
    reads,
    async read(offset, length) {
      reads.push({ offset, length })
      const copy = new Uint8Array(length)
      copy.set(bytes.subarray(offset, offset + length))
      return copy
    },
  }
}
