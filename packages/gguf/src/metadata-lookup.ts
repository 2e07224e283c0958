import type { MetadataArray, MetadataValue } from './metadata.ts'

/** Typed answers from a file's keys; a key of the wrong type counts as absent. */
export interface MetadataLookup {
  text(key: string): string | null
  flag(key: string): boolean | null
  /** A whole number from 0 up. */
  count(key: string): number | null
  /** One whole number per layer: a scalar stands for all of them, a shorter array is no answer. */
  countPerLayer(key: string, layers: number): readonly number[] | null
  /** One flag per layer, as `countPerLayer`. */
  flagPerLayer(key: string, layers: number): readonly boolean[] | null
  /** Elements of an array, kept or not. */
  arrayLength(key: string): number | null
}

export function createMetadataLookup(metadata: ReadonlyMap<string, MetadataValue>): MetadataLookup {
  const perLayer = <T>(key: string, layers: number, accept: (value: unknown) => value is T): readonly T[] | null => {
    const value = metadata.get(key)
    if (accept(value)) return Array.from({ length: layers }, () => value)
    if (!isArray(value) || value.values === null || value.values.length < layers) return null
    const values = value.values.slice(0, layers)
    return values.every(accept) ? (values as unknown as T[]) : null
  }
  return {
    text(key) {
      const value = metadata.get(key)
      return typeof value === 'string' && value !== '' ? value : null
    },
    flag(key) {
      const value = metadata.get(key)
      return typeof value === 'boolean' ? value : null
    },
    count(key) {
      const value = metadata.get(key)
      return isCount(value) ? value : null
    },
    countPerLayer: (key, layers) => perLayer(key, layers, isCount),
    flagPerLayer: (key, layers) => perLayer(key, layers, isFlag),
    arrayLength(key) {
      const value = metadata.get(key)
      return isArray(value) ? value.count : null
    },
  }
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
const isArray = (value: MetadataValue | undefined): value is MetadataArray => typeof value === 'object' && value.kind === 'array'
