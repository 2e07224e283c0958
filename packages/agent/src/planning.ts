import path from 'node:path'
import { type LoadModelCommand, type LocalModel, type ModelId, type NodeProfile, ShoalError } from '@shoal/core'
import {
  type Candidate,
  catalogEntryOf,
  chooseModel,
  dimensionsOfManifest,
  type LoadShape,
  localCandidate,
  type ModelChoice,
  memoryBudget,
  mergeCandidates,
  resolveModelName,
  shapeDefault,
  sizeModel,
} from '@shoal/planner'
import type { AgentParts } from './agent-parts.ts'
import { type HubDependencies, type HubSource, hubModelBytes, resolveHubModel } from './hub/download-model.ts'
import type { Corrections } from './loading/corrections.ts'
import type { LoadPlan, ModelOnDisk } from './loading/load-ports.ts'
import { planLoad, profileBeside } from './loading/plan-load.ts'
import type { InvalidModelFile, ModelLibrary } from './models/library.ts'

export interface LocalPlanQuery {
  /** Null = the planner's default, stepping down where it does not fit. */
  readonly contextTokens: number | null
  readonly slots: number | null
  /** Slowest acceptable prediction; null = the planner's default. */
  readonly tokensPerSecondMin: number | null
  /** Beside the models folder, what the catalog has. */
  readonly withCatalog: boolean
  /** One more candidate, by any name `resolveModelName` reads: a file elsewhere, or one at the hub, whose header is then read there. */
  readonly model?: string | null
}

/** What this machine could serve. */
export interface LocalPlan {
  readonly profile: NodeProfile
  readonly choice: ModelChoice
  readonly invalidFiles: readonly InvalidModelFile[]
}

type Wanted = Pick<LoadModelCommand, 'contextTokens' | 'slots'>

/** The planner, fed with this machine: its profile, its files, what earlier loads have taught, and what is loaded now. */
export interface Planning {
  planLocal(query: LocalPlanQuery): Promise<LocalPlan>
  /** As a load would do it now, when `leaving` are unloaded before. Rejects with MODEL_DOES_NOT_FIT. */
  planLoad(model: ModelOnDisk, wanted: Wanted, leaving?: readonly ModelId[]): Promise<LoadPlan>
  /**
   * Spares a download that could never be loaded here: reads the header at the hub, unless the file is small beside the memory. Rejects
   * with MODEL_DOES_NOT_FIT or MODEL_FILE_INVALID; whatever else goes wrong is left to the download to tell.
   */
  checkBeforeFetch(source: HubSource, wanted: Wanted, signal: AbortSignal): Promise<void>
}

export interface PlanningDependencies {
  readonly parts: Pick<AgentParts, 'freshProfile' | 'estimateMemory' | 'catalog' | 'readRemoteManifest'>
  readonly hub: HubDependencies
  readonly library: ModelLibrary
  readonly corrections: Corrections
  readonly threads: number | null
  /** What is in memory now; a model that is replaced may be there twice. */
  readonly loaded: () => readonly (readonly [ModelId, LoadPlan])[]
}

/** A file below this share of the free memory fits without a look. */
const smallShare = 0.25

export function createPlanning({ parts, hub, library, corrections, threads, loaded }: PlanningDependencies): Planning {
  const profileWithout = async (leaving: (id: ModelId) => boolean) => {
    const plans = loaded()
    return profileBeside(await parts.freshProfile(), {
      staying: plans.flatMap(([id, plan]) => (leaving(id) ? [] : [plan])),
      leaving: plans.flatMap(([id, plan]) => (leaving(id) ? [plan] : [])),
    })
  }
  const shared = () => ({ corrections: corrections.all, threads })

  const estimated = async (model: LocalModel, profile: NodeProfile, shape: LoadShape): Promise<Candidate> => {
    const candidate = localCandidate(model)
    const { dimensions } = candidate
    const wanted = { ...shape, contextTokens: Math.min(shape.contextTokens, dimensions.contextTokensTrained ?? shape.contextTokens) }
    const { gpuLayers } = sizeModel({ ...wanted, dimensions, budget: memoryBudget(profile) })
    const estimate = await parts.estimateMemory(model.path, { ...wanted, gpuLayers })
    return estimate === null ? candidate : { ...candidate, estimates: [estimate] }
  }

  return {
    async planLocal(query) {
      const local = (await library.refresh()).filter(isChatModel)
      const profile = await profileWithout(() => false)
      const shape = { contextTokens: query.contextTokens ?? shapeDefault.contextTokens, slots: query.slots ?? shapeDefault.slots }
      const named = await nameCandidate(query.model ?? null)
      const files = named?.kind === 'file' && !local.some((model) => model.path === named.file.path) ? [...local, named.file] : local
      const here = await Promise.all(files.map((model) => estimated(model, profile, shape)))
      const fetchable = [...(query.withCatalog ? parts.catalog() : []), ...(named?.kind === 'hub' ? [named.candidate] : [])]
      const choice = chooseModel({
        profile,
        candidates: mergeCandidates(here, fetchable),
        contextTokensWanted: shape.contextTokens,
        slotsWanted: shape.slots,
        ...(query.tokensPerSecondMin === null ? {} : { tokensPerSecondMin: query.tokensPerSecondMin }),
        corrections: corrections.all,
      })
      return { profile, choice, invalidFiles: library.invalidFiles }
    },
    async planLoad(model, wanted, leaving = []) {
      return await planLoad({
        ...shared(),
        name: path.basename(model.path),
        manifest: model.manifest,
        profile: await profileWithout((id) => leaving.includes(id)),
        wanted,
        estimate: (shape) => parts.estimateMemory(model.path, shape),
      })
    },
    async checkBeforeFetch(source, wanted, signal) {
      const profile = await profileWithout(() => true)
      const isSmall = (bytes: number | null) => bytes !== null && bytes < profile.memory.availableBytes * smallShare
      if (isSmall(source.bytes)) return
      try {
        const model = await resolveHubModel(source, hub, signal)
        if (isSmall(hubModelBytes(model))) return
        const manifest = await parts.readRemoteManifest(model, hub, signal)
        await planLoad({ ...shared(), name: source.repo, manifest, profile, wanted, estimate: async () => null })
      } catch (thrown) {
        const error = ShoalError.from(thrown)
        if (error.code === 'MODEL_DOES_NOT_FIT' || error.code === 'MODEL_FILE_INVALID') throw error
        hub.log.debug({ repo: source.repo, reason: error.message }, 'the header at the hub could not be looked at before the download')
      }
    },
  }

  /** Null = nothing was named, or something that is a candidate anyway. */
  async function nameCandidate(
    model: string | null,
  ): Promise<{ kind: 'file'; file: LocalModel } | { kind: 'hub'; candidate: Candidate } | null> {
    if (model === null) return null
    const { modelId, source, entry } = resolveModelName(model)
    if (source.kind === 'local') return source.path === null ? null : { kind: 'file', file: await library.open(source.path) }
    if (source.kind === 'demo' || entry !== null || (await library.find(modelId)) !== null) return null
    const { signal } = new AbortController()
    const found = await resolveHubModel(source, hub, signal)
    const manifest = await parts.readRemoteManifest(found, hub, signal)
    const candidate: Candidate = {
      modelId,
      name: manifest.name ?? modelId,
      source,
      dimensions: dimensionsOfManifest(manifest),
      rank: null,
      parameterCount: manifest.parameterCount,
      isDemo: manifest.isDemo,
      fetchBytes: manifest.fileBytes,
    }
    return { kind: 'hub', candidate }
  }
}

/** Embedding models and rerankers lie in the same folder and cannot chat; the ones the catalog does not know show by their names. */
function isChatModel(model: LocalModel): boolean {
  const entry = catalogEntryOf(model)
  if (entry !== null) return entry.model.kind === 'chat'
  return !/bert|^t5|^clip|embed|rerank/i.test(`${model.manifest.architecture} ${path.basename(model.path)}`)
}
