import { type ModelId, type ModelSource, modelId } from '@shoal/core'
import data from './models.json' with { type: 'json' }

/** One GGUF (or split set) at the hub. A file name is no identity: repository, revision and digest are. */
export interface CatalogFile {
  readonly repo: string
  /** Path inside the repository; of a split set the first part. */
  readonly file: string
  readonly quantization: string
  /** Of all parts together. */
  readonly bytes: number
  /** False: rounded by whoever published it. */
  readonly bytesAreExact: boolean
  readonly parts: number
  /** Commit the size and digest were read at. */
  readonly revision: string | null
  /** In hex; of a split set that of the first part. */
  readonly sha256: string | null
}

export interface CatalogSampling {
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly presencePenalty?: number
  readonly repeatPenalty?: number
}

/** Published scores, 0 to 100; a missing one is unknown. */
export interface CatalogScores {
  readonly mmluProThinking?: number
  readonly mmluProNonThinking?: number
  readonly mmmlu?: number
  readonly gpqaDiamond?: number
  readonly liveCodeBenchV6?: number
  readonly ifEval?: number
  readonly ifBench?: number
  readonly bfclV4?: number
}

/** What is known of a model before any file of it is here; null = unknown. Where each field comes from: design.md. */
export interface CatalogModel {
  readonly id: string
  readonly name: string
  readonly kind: 'chat' | 'embedding' | 'reranker'
  readonly baseRepo: string | null
  readonly license: string | null
  readonly releaseDate: string | null
  /** `general.architecture` of its GGUF. */
  readonly architecture: string | null
  readonly parameterCount: number | null
  /** Share of the file's bytes that decoding one token reads. */
  readonly decodeReadFraction: number | null
  readonly contextTokensTrained: number | null
  readonly layerCount: number | null
  /** Layers with a KV cache, sliding ones included. */
  readonly attentionLayerCount: number | null
  /** Layers whose KV cache grows with the whole context. */
  readonly fullAttentionLayerCount: number | null
  readonly slidingWindowTokens: number | null
  readonly embeddingLength: number | null
  readonly headCount: number | null
  readonly headCountKv: number | null
  readonly keyLength: number | null
  readonly valueLength: number | null
  readonly feedForwardLength: number | null
  readonly vocabularySize: number | null
  readonly expert: { readonly count: number; readonly usedCount: number; readonly feedForwardLength: number } | null
  /** Gated delta net (and Mamba) layers: all layers that have no KV cache. */
  readonly recurrent: {
    readonly convolutionKernel: number
    readonly stateLength: number
    readonly groupCount: number
    readonly innerLength: number
  } | null
  /** f16, full-attention layers. */
  readonly kvBytesPerToken: number | null
  /** f32, whatever the KV cache's type. */
  readonly recurrentStateBytesPerSequence: number | null
  readonly thinking: boolean | null
  readonly thinkingSwitch: 'enable_thinking' | 'reasoning_effort' | null
  readonly toolCallFormat: string | null
  /** What its makers recommend for general text. */
  readonly sampling: { readonly thinking: CatalogSampling | null; readonly nonThinking: CatalogSampling | null }
  readonly scores: CatalogScores
  readonly files: readonly CatalogFile[]
}

/** A file and the model it is of. */
export interface CatalogEntry {
  readonly model: CatalogModel
  readonly file: CatalogFile
}

/** The shape is checked by a test, not at run time: the file is part of the program. */
export const catalog: readonly CatalogModel[] = data as readonly CatalogModel[]

/** By catalog id, for example `qwen3.5-4b`; any case. */
export function findCatalogModel(id: string): CatalogModel | null {
  const wanted = id.toLowerCase()
  return catalog.find((model) => model.id === wanted) ?? null
}

export const catalogFiles = (model: CatalogModel): readonly CatalogFile[] => model.files

/** Name under which clients ask for a file of the hub: `owner/repo:QUANT`. */
export const catalogModelId = (file: CatalogFile): ModelId => modelId(`${file.repo}:${file.quantization}`)

/** What an agent needs to fetch and check the file. A rounded size checks nothing and is left out, as is the digest of one part of many. */
export function catalogSource(file: CatalogFile): Extract<ModelSource, { kind: 'hub' }> {
  const bytes = file.bytesAreExact && file.parts === 1 ? file.bytes : null
  const sha256 = file.parts === 1 ? file.sha256 : null
  return { kind: 'hub', repo: file.repo, file: file.file, revision: file.revision, bytes, sha256 }
}

/** Taken in this order when nobody said which: the size people expect, and present nearly everywhere. */
const usualQuantizations = ['Q4_K_M', 'MXFP4', 'UD-Q4_K_M', 'UD-Q4_K_XL', 'Q4_0']

/** The usual file of a model; for one with several of a kind the one with most known about it stands first in the catalog. */
export function usualCatalogFile(model: CatalogModel): CatalogFile | null {
  for (const label of usualQuantizations) {
    const found = model.files.find((file) => file.quantization === label)
    if (found !== undefined) return found
  }
  return model.files[0] ?? null
}

const entries: readonly CatalogEntry[] = catalog.flatMap((model) => model.files.map((file) => ({ model, file })))

/** Of a chat model, embedding model or reranker alike. */
export const catalogEntries = (): readonly CatalogEntry[] => entries

/** By repository and quantisation, any case; a null quantisation means the usual file. */
export function findCatalogEntry(repo: string, quantization: string | null): CatalogEntry | null {
  const inRepo = entries.filter(({ file }) => file.repo.toLowerCase() === repo.toLowerCase())
  const [first] = inRepo
  if (first === undefined) return null
  if (quantization === null) {
    const files = inRepo.map(({ file }) => file)
    const file = usualCatalogFile({ ...first.model, files })
    return file === null ? null : { model: first.model, file }
  }
  return inRepo.find(({ file }) => file.quantization === quantization.toUpperCase()) ?? null
}
