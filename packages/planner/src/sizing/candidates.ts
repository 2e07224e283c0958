import { type LocalModel, type ModelId, type ModelSource, modelId } from '@shoal/core'
import { catalogEntries, catalogModelId, catalogSource } from '../catalog/catalog.ts'
import { catalogEntryOf, entryRank, type RankMode } from '../catalog/rank.ts'
import { dimensionsOfEntry, dimensionsOfManifest, type ModelDimensions } from './model-dimensions.ts'
import type { MemoryEstimate } from './planned-terms.ts'

/** A model that could be loaded. */
export interface Candidate {
  readonly modelId: ModelId
  /** For people. */
  readonly name: string
  readonly source: ModelSource
  readonly dimensions: ModelDimensions
  /** Higher is better; null = unknown, after all known ones. */
  readonly rank: number | null
  readonly parameterCount: number | null
  readonly isDemo: boolean
  /** Still to be fetched to this machine; 0 for what is here. */
  readonly fetchBytes: number
  /** The engine's estimates, where the header could be read. */
  readonly estimates?: readonly MemoryEstimate[]
}

/** Every chat model file of the catalog, to be fetched. */
export function catalogCandidates(mode: RankMode = 'nonThinking'): readonly Candidate[] {
  const chat = catalogEntries().filter(({ model }) => model.kind === 'chat')
  return chat.map((entry) => ({
    modelId: catalogModelId(entry.file),
    name: `${entry.model.name} ${entry.file.quantization}`,
    source: catalogSource(entry.file),
    dimensions: dimensionsOfEntry(entry),
    rank: entryRank(entry, mode),
    parameterCount: entry.model.parameterCount,
    isDemo: false,
    fetchBytes: entry.file.bytes,
  }))
}

/** A file in the models folder. Its rank is that of the catalog's file of the same digest or name. */
export function localCandidate(local: LocalModel, mode: RankMode = 'nonThinking'): Candidate {
  const entry = catalogEntryOf(local)
  return {
    modelId: modelId(local.modelId),
    name: local.manifest.name ?? local.modelId,
    source: { kind: 'local', path: local.path },
    dimensions: dimensionsOfManifest(local.manifest),
    rank: entry === null ? null : entryRank(entry, mode),
    parameterCount: local.manifest.parameterCount,
    isDemo: local.manifest.isDemo,
    fetchBytes: 0,
  }
}

/** What is here and what could be fetched, each model once: a local file hides the catalog's entry of the same model id. */
export function mergeCandidates(local: readonly Candidate[], fetchable: readonly Candidate[]): readonly Candidate[] {
  const here = new Set(local.map((candidate) => candidate.modelId))
  return [...local, ...fetchable.filter((candidate) => !here.has(candidate.modelId))]
}

/** What is here, or can be checked by a digest that was known before. */
const isChecked = ({ source }: Candidate): boolean => source.kind !== 'hub' || source.sha256 !== null

/**
 * The order in which a planner would like to have them: real models before demos, ranked before unranked, then by rank, then by parameters; of
 * equals first what can be checked, then what takes least to fetch.
 */
export function byPreference(a: Candidate, b: Candidate): number {
  if (a.isDemo !== b.isDemo) return a.isDemo ? 1 : -1
  const rank = (b.rank ?? Number.NEGATIVE_INFINITY) - (a.rank ?? Number.NEGATIVE_INFINITY)
  if (a.rank !== b.rank && rank !== 0) return rank
  const parameters = (b.parameterCount ?? 0) - (a.parameterCount ?? 0)
  if (parameters !== 0) return parameters
  if (isChecked(a) !== isChecked(b)) return isChecked(a) ? -1 : 1
  return a.fetchBytes - b.fetchBytes || (a.modelId < b.modelId ? -1 : a.modelId > b.modelId ? 1 : 0)
}
