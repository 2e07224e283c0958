import { applyCorrection, type Correction } from './correction.ts'
import type { GpuBudget, MemoryBudget } from './memory-budget.ts'
import {
  computeBytes,
  isHeadroom,
  kvCacheBytes,
  type LoadShape,
  type MemoryTerm,
  recurrentStateBytes,
  type TermName,
} from './memory-terms.ts'
import type { ModelDimensions } from './model-dimensions.ts'
import {
  checkpointTerms,
  type Device,
  estimatedTerms,
  formulaTerms,
  type MemoryEstimate,
  type Place,
  reserveTerms,
} from './planned-terms.ts'

export interface SizingQuery extends LoadShape {
  readonly dimensions: ModelDimensions
  readonly budget: MemoryBudget
  /** Layers on the GPU; null = as many as fit. */
  readonly gpuLayers?: number | null
  readonly estimates?: readonly MemoryEstimate[]
  /** Of this architecture on a backend, from earlier loads on this node. */
  readonly correctionOf?: (backend: Backend) => Correction | null
}

export type Backend = 'cpu' | 'cuda' | 'vulkan' | 'metal'

export interface Sizing extends LoadShape {
  /** Null = a term is unknown. */
  readonly fits: boolean | null
  readonly device: Device
  readonly backend: Backend
  /** As the engine counts them: the output head is one more. */
  readonly gpuLayers: number
  /** 0 to 1, by the weights that are read while decoding. */
  readonly gpuShare: number
  readonly terms: readonly MemoryTerm[]
  /** The first term that does not fit any more, in the order of `terms`, or that is unknown. Null when it fits. */
  readonly limitingTerm: TermName | null
  /** What `limitingTerm` ran out of. */
  readonly limitingMemory: 'ram' | 'vram' | null
  readonly budgetBytes: { readonly ram: number; readonly vram: number | null }
  /** What the load takes: without the reserve and the checkpoints to come; null = unknown. */
  readonly plannedBytes: { readonly ram: number | null; readonly vram: number | null; readonly total: number | null }
}

/**
 * Whether a model fits, term by term. With `gpuLayers` null the best way is chosen: wholly on the GPU when that fits, else in RAM with as many
 * layers on the GPU as fit, else in RAM alone. Unified memory is counted once, as RAM, and must also stay below what the GPU
 * may use of it.
 */
export function sizeModel(query: SizingQuery): Sizing {
  const { budget, dimensions } = query
  const { gpu } = budget
  const layers = dimensions.layerCount
  if (query.gpuLayers !== undefined && query.gpuLayers !== null) {
    const wanted = gpu === null ? 0 : Math.min(query.gpuLayers, (layers ?? query.gpuLayers) + 1)
    return sizeWith(query, wanted)
  }
  if (gpu === null || layers === null) return sizeWith(query, 0)
  const whole = sizeWith(query, layers + 1)
  if (whole.fits === true) return whole
  const some = gpu.unifiedMemory ? whole : sizeWith(query, layersThatFit(query, gpu, layers))
  if (some.fits === true) return some
  const none = sizeWith(query, 0)
  return none.fits === true || some.gpuLayers === 0 ? none : some
}

function layersThatFit(query: SizingQuery, gpu: GpuBudget, layers: number): number {
  const { dimensions } = query
  const movable = dimensions.weightBytes - (dimensions.embeddingIsTied ? 0 : (dimensions.embeddingBytes ?? 0))
  const kv = kvCacheBytes(dimensions, query)
  const state = recurrentStateBytes(dimensions, query)
  const compute = computeBytes(dimensions, query, 'committed')
  if (kv === null || state === null || compute === null) return 0
  const perLayer = (movable + kv + state) / (layers + 1)
  // A layer less than the arithmetic says: layers are not equal, and a failed allocation costs the whole load.
  const fitting = Math.floor((gpu.vramBytes - gpu.vramReserveBytes - compute) / perLayer) - 1
  return Math.max(0, Math.min(layers, fitting))
}

function sizeWith(query: SizingQuery, gpuLayers: number): Sizing {
  const { budget, dimensions } = query
  const layers = dimensions.layerCount
  const isWhole = gpuLayers > 0 && layers !== null && gpuLayers > layers
  const device: Device = gpuLayers === 0 ? 'cpu' : isWhole ? 'gpu' : 'split'
  const backend: Backend = gpuLayers === 0 ? 'cpu' : (budget.gpu?.backend ?? 'cpu')
  const share = gpuLayers === 0 || layers === null ? 0 : Math.min(1, gpuLayers / (layers + 1))
  const place: Place = { device, share, unified: budget.gpu?.unifiedMemory === true }
  const correction = query.correctionOf?.(backend) ?? null
  const estimate = query.estimates?.find((each) => matches(each, query, gpuLayers))
  const raw = estimate === undefined ? formulaTerms(query, place) : estimatedTerms(dimensions, estimate, place)
  const terms = [...reserveTerms(budget, place), ...applyCorrection(raw, correction), ...checkpointTerms(query)]
  const limit = findLimit(terms, budget, place)
  return {
    contextTokens: query.contextTokens,
    slots: query.slots,
    fits: limit === null ? true : limit.bytes === null ? null : false,
    device,
    backend,
    gpuLayers,
    gpuShare: share,
    terms,
    limitingTerm: limit?.name ?? null,
    limitingMemory: limit?.memory ?? null,
    budgetBytes: { ram: budget.ramBytes, vram: budget.gpu?.vramBytes ?? null },
    plannedBytes: { ram: sum(terms, 'ram'), vram: sum(terms, 'vram'), total: addKnown(sum(terms, 'ram'), sum(terms, 'vram')) },
  }
}

/** The term at which the sum goes over the budget, or an unknown one when the known ones fit. */
function findLimit(terms: readonly MemoryTerm[], budget: MemoryBudget, place: Place): MemoryTerm | null {
  const left = { ram: budget.ramBytes, vram: budget.gpu?.vramBytes ?? 0 }
  let unified = place.unified && place.device !== 'cpu' ? (budget.gpu?.vramBytes ?? 0) - (budget.gpu?.vramReserveBytes ?? 0) : null
  let unknown: MemoryTerm | null = null
  for (const each of terms) {
    if (each.bytes === null) {
      unknown ??= each
      continue
    }
    left[each.memory] -= each.bytes
    if (unified !== null && !isHeadroom(each.name) && each.name !== 'runtime') unified -= each.bytes
    if (left[each.memory] < 0 || (unified !== null && unified < 0)) return each
  }
  return unknown
}

function sum(terms: readonly MemoryTerm[], memory: 'ram' | 'vram'): number | null {
  let total: number | null = 0
  for (const each of terms) {
    if (each.memory === memory && !isHeadroom(each.name)) total = addKnown(total, each.bytes)
  }
  return total
}

const addKnown = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a + b)

const matches = (estimate: MemoryEstimate, shape: LoadShape, gpuLayers: number): boolean =>
  estimate.contextTokens === shape.contextTokens && estimate.slots === shape.slots && estimate.gpuLayers === gpuLayers
