import type { LoadedFacts } from '@shoal/core'
import { isHeadroom, type MemoryTerm } from './memory-terms.ts'

/** What loads and runs of an architecture on a backend of this node have taught; null = nothing yet. */
export interface Correction {
  /** Measured over planned bytes of all terms that were estimates. */
  readonly estimateRatio: number | null
  /** Bytes of weights per second that decoding really reads. */
  readonly effectiveBandwidthBytesPerSecond: number | null
}

/** Corrections belong to one architecture on one backend of one node. */
export const correctionKey = (architecture: string | null, backend: string): string => `${architecture ?? 'unknown'}/${backend}`

/** A single odd load (another program inside the same measurement, a file not yet paged in) must not ruin planning. */
const ratioMin = 0.5
const ratioMax = 3

/** Scales the estimated terms; sizes that follow from tensors stay as they are. */
export function applyCorrection(terms: readonly MemoryTerm[], correction: Correction | null): readonly MemoryTerm[] {
  const ratio = correction?.estimateRatio ?? null
  if (ratio === null) return terms
  return terms.map((term) =>
    term.source === 'estimate' && !isHeadroom(term.name) && term.bytes !== null
      ? { ...term, bytes: Math.round(term.bytes * ratio), source: 'measured' }
      : term,
  )
}

export interface Comparison {
  readonly plannedBytes: number
  readonly measuredBytes: number
  /** Measured over planned. */
  readonly ratio: number
  /** Off by more than 10 %. */
  readonly warn: boolean
  /** Measured over planned of the terms that are not exact. */
  readonly estimateRatio: number
}

const tolerance = 0.1

/**
 * Planned terms against what the loaded child takes; null when it could not be measured or a term was unknown.
 *
 * Resident memory can hold the weights twice: where the CPU backend repacks them (Q4_0 on x64: 275 MB file, 359 MB anonymous and 332 MB file pages
 * measured) the pages of the file stay behind as cache that costs nothing. So when the figure less the weights is nearer to the plan,
 * that is what counts.
 */
export function compareWithMeasured(
  terms: readonly MemoryTerm[],
  facts: Pick<LoadedFacts, 'residentBytes' | 'vramBytes'>,
  options: { readonly unifiedMemory: boolean },
): Comparison | null {
  const counted = terms.filter((term) => !isHeadroom(term.name))
  if (facts.residentBytes === null || counted.some((term) => term.bytes === null)) return null
  const total = (matching: readonly MemoryTerm[]) => matching.reduce((bytes, term) => bytes + (term.bytes ?? 0), 0)
  const plannedBytes = total(counted)
  if (plannedBytes <= 0) return null
  const vramBytes = facts.vramBytes ?? 0
  const resident = options.unifiedMemory ? Math.max(facts.residentBytes, vramBytes) : facts.residentBytes + vramBytes
  const once = resident - total(counted.filter((term) => term.name === 'weights' && term.memory === 'ram'))
  const isTwice = Math.abs(once - plannedBytes) < Math.abs(resident - plannedBytes)
  const measuredBytes = isTwice ? once : resident
  const exactBytes = total(counted.filter((term) => term.source === 'exact'))
  const estimatedBytes = plannedBytes - exactBytes
  const estimateRatio = estimatedBytes <= 0 ? 1 : (measuredBytes - exactBytes) / estimatedBytes
  const ratio = measuredBytes / plannedBytes
  return { plannedBytes, measuredBytes, ratio, warn: Math.abs(ratio - 1) > tolerance, estimateRatio }
}

/** The correction to keep after a load that was planned with `previous`. */
export function learnMemory(previous: Correction | null, { estimateRatio }: Comparison): Correction {
  const ratio = (previous?.estimateRatio ?? 1) * estimateRatio
  return {
    estimateRatio: Math.min(ratioMax, Math.max(ratioMin, ratio)),
    effectiveBandwidthBytesPerSecond: previous?.effectiveBandwidthBytesPerSecond ?? null,
  }
}

/** The correction to keep after the speed of one stream was measured; `effectiveBandwidth` of predict-speed.ts turns tokens into bytes. */
export const learnSpeed = (previous: Correction | null, effectiveBandwidthBytesPerSecond: number): Correction => ({
  estimateRatio: previous?.estimateRatio ?? null,
  effectiveBandwidthBytesPerSecond,
})
