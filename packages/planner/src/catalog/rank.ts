import type { LocalModel, ModelId } from '@shoal/core'
import { type CatalogEntry, type CatalogModel, catalogEntries, catalogModelId } from './catalog.ts'
import { fileStem } from './file-stem.ts'
import { quantizationPenalty } from './quantization.ts'

/** Whether a model may think before it answers. Without it answers come sooner and are worse; Shoal does not unless asked. */
export type RankMode = 'thinking' | 'nonThinking'

/**
 * Quality of a model, 0 to 100, without any loss by quantisation; null = no comparable score is known.
 * One column family only, MMLU-Pro, because scores of different benchmarks do not compare and it is the one that nearly every model has.
 * Where only the thinking score is known, the other is estimated as a quarter of the lost points lower: of the models that publish both,
 * Qwen3.5-0.8B loses 0.22 of them (42.3 -> 29.7), Qwen3.5-2B 0.33 (66.5 -> 55.3), Qwen3-30B-A3B-2507 0.13 (80.9 -> 78.4).
 */
export function modelQuality(model: CatalogModel, mode: RankMode): number | null {
  if (model.kind !== 'chat') return null
  const { mmluProThinking, mmluProNonThinking } = model.scores
  if (mode === 'thinking') return mmluProThinking ?? mmluProNonThinking ?? null
  if (mmluProNonThinking !== undefined) return mmluProNonThinking
  return mmluProThinking === undefined ? null : mmluProThinking - (100 - mmluProThinking) / 4
}

/** `modelQuality` less the loss by quantisation. */
export function entryRank({ model, file }: CatalogEntry, mode: RankMode): number | null {
  const quality = modelQuality(model, mode)
  if (quality === null) return null
  const isTrainedFormat = model.architecture === 'gpt-oss' && !/^(Q[1-3]|IQ[1-3])/.test(file.quantization)
  return quality - (isTrainedFormat ? 0 : quantizationPenalty(file.quantization))
}

/** Rank of a model by its name: `owner/repo:QUANT`, or the stem of a file of the catalog. Null = not in the catalog, or no chat model. */
export function rankOfModelId(id: ModelId, mode: RankMode = 'nonThinking'): number | null {
  const entry = entriesById.get(id.toLowerCase()) ?? entriesByStem.get(id.toLowerCase())
  return entry === undefined ? null : entryRank(entry, mode)
}

/** The catalog's entry for a file on disk: the same digest, else the same name. Null = a model the catalog does not know. */
export function catalogEntryOf(local: Pick<LocalModel, 'modelId' | 'path' | 'sha256'>): CatalogEntry | null {
  const byDigest = local.sha256 === null ? undefined : catalogEntries().find(({ file }) => file.sha256 === local.sha256)
  return byDigest ?? entriesById.get(local.modelId.toLowerCase()) ?? entriesByStem.get(fileStem(local.path).toLowerCase()) ?? null
}

const entriesById = firstBy(({ file }) => catalogModelId(file))
/** A stem is no identity, but good enough for a rank: files of one name are of one model and one format. */
const entriesByStem = firstBy(({ file }) => fileStem(file.file))

function firstBy(keyOf: (entry: CatalogEntry) => string): ReadonlyMap<string, CatalogEntry> {
  const map = new Map<string, CatalogEntry>()
  for (const entry of catalogEntries()) {
    const key = keyOf(entry).toLowerCase()
    if (!map.has(key)) map.set(key, entry)
  }
  return map
}
