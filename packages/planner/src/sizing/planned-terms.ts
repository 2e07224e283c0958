import type { MemoryBudget } from './memory-budget.ts'
import {
  checkpointBytes,
  computeBytes,
  kvCacheBytes,
  type LoadShape,
  type MemoryTerm,
  recurrentStateBytes,
  runtimeBytes,
  type TermName,
  untouchedLogitsBytes,
} from './memory-terms.ts'
import type { ModelDimensions } from './model-dimensions.ts'

/**
 * - cpu: every layer in RAM
 * - gpu: every layer in VRAM (or in unified memory)
 * - split: some layers in VRAM, the rest in RAM
 */
export type Device = 'cpu' | 'gpu' | 'split'

/** The engine's own estimate for one shape, on the real header. Preferred to the formulas here. */
export interface MemoryEstimate extends LoadShape {
  readonly gpuLayers: number
  readonly model: { readonly ramBytes: number; readonly vramBytes: number }
  /** KV cache, recurrent state and compute buffers. */
  readonly context: { readonly ramBytes: number; readonly vramBytes: number }
}

/** Where the layers of a model go. */
export interface Place {
  readonly device: Device
  readonly share: number
  readonly unified: boolean
}

/** In unified memory everything is one pool, called `ram`. */
const gpuMemory = (place: Place): 'ram' | 'vram' => (place.unified ? 'ram' : 'vram')

export function reserveTerms(budget: MemoryBudget, place: Place): MemoryTerm[] {
  const ram: MemoryTerm = { name: 'reserve', memory: 'ram', bytes: budget.ramReserveBytes, source: 'estimate' }
  if (place.device === 'cpu' || budget.gpu === null || place.unified) return [ram]
  return [ram, { name: 'reserve', memory: 'vram', bytes: budget.gpu.vramReserveBytes, source: 'estimate' }]
}

/** None where the state is unknown: then a term of its own says so. */
export function checkpointTerms(query: LoadShape & { readonly dimensions: ModelDimensions }): MemoryTerm[] {
  const bytes = checkpointBytes(query.dimensions, query)
  return bytes === 0 ? [] : [term('checkpoints', 'ram', bytes, 'estimate')]
}

/** All terms by the formulas of memory-terms.ts. */
export function formulaTerms(query: LoadShape & { readonly dimensions: ModelDimensions }, place: Place): MemoryTerm[] {
  const { dimensions } = query
  const { weightBytes, embeddingBytes, embeddingIsTied } = dimensions
  const runtime: MemoryTerm = { name: 'runtime', memory: 'ram', bytes: runtimeBytes(dimensions), source: 'estimate' }
  // Rows of the input embedding are looked up by the CPU; a tied one is copied to the GPU as output head besides.
  const stays = embeddingIsTied ? 0 : (embeddingBytes ?? 0)
  const onGpu = Math.round((weightBytes - stays) * place.share)
  const copied = place.device === 'gpu' && embeddingIsTied && !place.unified ? (embeddingBytes ?? 0) : 0
  const compute = (kind: 'committed' | 'touched') => computeBytes(dimensions, query, kind)
  return [
    runtime,
    ...split('weights', 'exact', { total: weightBytes + copied, onGpu }, place),
    ...split('recurrentState', 'exact', shareOf(recurrentStateBytes(dimensions, query), place), place),
    ...(place.device === 'cpu' ? [] : [term('compute', gpuMemory(place), compute('committed'), 'estimate')]),
    ...(place.device === 'gpu' ? [] : [term('compute', 'ram', compute('touched'), 'estimate')]),
    ...split('kvCache', 'exact', shareOf(kvCacheBytes(dimensions, query), place), place),
  ]
}

/** Weights and context as the engine estimates them; the process by the formula. */
export function estimatedTerms(dimensions: ModelDimensions, estimate: MemoryEstimate, place: Place): MemoryTerm[] {
  const memory = gpuMemory(place)
  const runtime: MemoryTerm = { name: 'runtime', memory: 'ram', bytes: runtimeBytes(dimensions), source: 'estimate' }
  const untouched = place.device === 'cpu' ? untouchedLogitsBytes(dimensions) : 0
  const contextRam = Math.max(0, estimate.context.ramBytes - untouched)
  const found: MemoryTerm[] = [
    term('weights', 'ram', estimate.model.ramBytes, 'exact'),
    term('weights', memory, estimate.model.vramBytes, 'exact'),
    term('engine', 'ram', contextRam, 'estimate'),
    term('engine', memory, estimate.context.vramBytes, 'estimate'),
  ]
  return [runtime, ...found.filter((each) => each.bytes !== 0)]
}

const term = (name: TermName, memory: 'ram' | 'vram', bytes: number | null, source: MemoryTerm['source']): MemoryTerm => ({
  name,
  memory,
  bytes,
  source,
})

const shareOf = (total: number | null, place: Place): { total: number | null; onGpu: number } => ({
  total,
  onGpu: total === null ? 0 : Math.round(total * place.share),
})

function split(
  name: TermName,
  source: MemoryTerm['source'],
  { total, onGpu }: { readonly total: number | null; readonly onGpu: number },
  place: Place,
): MemoryTerm[] {
  if (total === 0) return []
  if (total === null || place.unified || onGpu === 0) return [term(name, 'ram', total, source)]
  const found = [term(name, 'vram', onGpu, source), term(name, 'ram', total - onGpu, source)]
  return found.filter((each) => each.bytes !== 0)
}
