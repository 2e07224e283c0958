import { type GpuProfile, type LoadModelCommand, type ModelManifest, type NodeProfile, ShoalError } from '@shoal/core'
import {
  type Correction,
  correctionKey,
  dimensionsOfManifest,
  explainSizing,
  isHeadroom,
  type LoadShape,
  type MemoryEstimate,
  memoryBudget,
  type Sizing,
  shapesToTry,
  sizeModel,
  type TermName,
} from '@shoal/planner'
import type { LoadPlan } from './load-ports.ts'

export interface LoadQuery {
  readonly name: string
  readonly manifest: ModelManifest
  /** This machine now. */
  readonly profile: NodeProfile
  readonly wanted: Pick<LoadModelCommand, 'contextTokens' | 'slots'>
  readonly corrections: Readonly<Record<string, Correction>>
  readonly threads: number | null
  /** The engine's estimate for one shape; null = it has none, and the formulas count. Not asked for what is small beside what is free. */
  readonly estimate: (shape: LoadShape & { readonly gpuLayers: number }) => Promise<MemoryEstimate | null>
}

const contextTokensWanted = 8192
const slotsWanted = 4
/** Below this share of the free memory a formula that is off by a tenth decides nothing, and half a second is saved. */
const smallShare = 0.25

/**
 * The largest shape that fits: what was asked for is kept as asked, what was left open steps down. Rejects with MODEL_DOES_NOT_FIT, which
 * names the term and both numbers.
 */
export async function planLoad(query: LoadQuery): Promise<LoadPlan> {
  const { manifest, profile, wanted } = query
  const dimensions = dimensionsOfManifest(manifest)
  const budget = memoryBudget(profile)
  const correctionOf = (backend: Sizing['backend']) => query.corrections[correctionKey(dimensions.architecture, backend)] ?? null
  const shapes = openShapes(wanted, dimensions.contextTokensTrained)
  let refused: Sizing | null = null
  for (const shape of shapes) {
    const rough = sizeModel({ ...shape, dimensions, budget, correctionOf })
    const sizing = isSmall(rough)
      ? rough
      : await refine(rough, query, (estimates) => sizeModel({ ...shape, dimensions, budget, correctionOf, ...estimates }))
    if (sizing.fits !== false) {
      // Without a GPU the engine is left to find that out itself.
      const gpuLayers = budget.gpu === null ? null : sizing.gpuLayers
      const options = { contextTokens: shape.contextTokens, slots: shape.slots, threads: query.threads, gpuLayers }
      return { options, sizing, dimensions, unifiedMemory: budget.gpu?.unifiedMemory === true }
    }
    refused = sizing
  }
  const why = refused === null ? 'no shape of it is possible' : explainSizing(refused)
  throw new ShoalError({ code: 'MODEL_DOES_NOT_FIT', message: `${query.name} does not fit this machine: it ${why}.` })
}

function openShapes({ contextTokens, slots }: LoadQuery['wanted'], trained: number | null): readonly LoadShape[] {
  const wanted = { contextTokens: contextTokens ?? contextTokensWanted, slots: slots ?? slotsWanted }
  const shapes = shapesToTry(wanted, trained)
  const [first] = shapes
  return shapes.filter(
    (shape) => (contextTokens === null || shape.contextTokens === first?.contextTokens) && (slots === null || shape.slots === first?.slots),
  )
}

function isSmall({ terms, budgetBytes, fits, device }: Sizing): boolean {
  const bytes = terms.reduce((total, term) => (term.memory === 'ram' && term.name !== 'reserve' ? total + (term.bytes ?? 0) : total), 0)
  return fits === true && device === 'cpu' && bytes < budgetBytes.ram * smallShare
}

async function refine(
  rough: Sizing,
  { estimate }: LoadQuery,
  size: (estimates: { readonly estimates: readonly MemoryEstimate[]; readonly gpuLayers: number }) => Sizing,
): Promise<Sizing> {
  const { contextTokens, slots, gpuLayers } = rough
  const found = await estimate({ contextTokens, slots, gpuLayers })
  return found === null ? rough : size({ estimates: [found], gpuLayers })
}

/**
 * The machine as a new model will find it. `availableBytes` counts the page cache as free, and with it the mapped weights of models that
 * stay loaded: they are taken off. What models to be unloaded hold beside their mapped weights comes back.
 */
export function profileBeside(
  profile: NodeProfile,
  { staying, leaving }: { readonly staying: readonly LoadPlan[]; readonly leaving: readonly LoadPlan[] },
): NodeProfile {
  const mapped = staying.reduce((total, { sizing }) => total + bytesOf(sizing, 'ram', (name) => name === 'weights'), 0)
  const freed = leaving.reduce((total, { sizing }) => total + bytesOf(sizing, 'ram', (name) => name !== 'weights'), 0)
  const freedVram = leaving.reduce((total, { sizing }) => total + bytesOf(sizing, 'vram', () => true), 0)
  const { memory, gpus } = profile
  const availableBytes = Math.min(Math.max(0, memory.availableBytes - mapped + freed), memory.limitBytes)
  return { ...profile, memory: { ...memory, availableBytes }, gpus: giveBack(gpus, freedVram) }
}

function bytesOf(sizing: Sizing, memory: 'ram' | 'vram', counts: (name: TermName) => boolean): number {
  const matching = sizing.terms.filter((term) => term.memory === memory && !isHeadroom(term.name) && counts(term.name))
  return matching.reduce((total, term) => total + (term.bytes ?? 0), 0)
}

function giveBack(gpus: readonly GpuProfile[], bytes: number): readonly GpuProfile[] {
  const [first, ...rest] = gpus
  if (first === undefined || first.vramFreeBytes === null || bytes === 0) return gpus
  const free = first.vramFreeBytes + bytes
  return [{ ...first, vramFreeBytes: first.vramTotalBytes === null ? free : Math.min(free, first.vramTotalBytes) }, ...rest]
}
