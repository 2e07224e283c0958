import path from 'node:path'
import type { LoadModelCommand, LocalModel, ModelId, NodeProfile } from '@shoal/core'
import {
  type Candidate,
  catalogEntryOf,
  chooseModel,
  localCandidate,
  type MemoryEstimate,
  type ModelChoice,
  memoryBudget,
  mergeCandidates,
  shapeDefault,
  sizeModel,
} from '@shoal/planner'
import type { AgentParts } from './agent-parts.ts'
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
  /** Beside the models folder, what the hub has. */
  readonly withCatalog: boolean
}

/** What this machine could serve. */
export interface LocalPlan {
  readonly profile: NodeProfile
  readonly choice: ModelChoice
  readonly invalidFiles: readonly InvalidModelFile[]
}

/** The planner, fed with this machine: its profile, its files, what earlier loads have taught, and what is loaded now. */
export interface Planning {
  planLocal(query: LocalPlanQuery): Promise<LocalPlan>
  /** As a load would do it now, when `leaving` are unloaded before. Rejects with MODEL_DOES_NOT_FIT. */
  planLoad(model: ModelOnDisk, wanted: Pick<LoadModelCommand, 'contextTokens' | 'slots'>, leaving?: readonly ModelId[]): Promise<LoadPlan>
}

export interface PlanningDependencies {
  readonly parts: Pick<AgentParts, 'freshProfile' | 'estimateMemory' | 'catalog'>
  readonly library: ModelLibrary
  readonly corrections: Corrections
  readonly threads: number | null
  /** What is loaded now. */
  readonly loaded: () => ReadonlyMap<ModelId, LoadPlan>
}

export function createPlanning({ parts, library, corrections, threads, loaded }: PlanningDependencies): Planning {
  return {
    async planLocal(query) {
      const local = (await library.refresh()).filter(isChatModel)
      const profile = profileBeside(await parts.freshProfile(), { staying: [...loaded().values()], leaving: [] })
      const shape = { contextTokens: query.contextTokens ?? shapeDefault.contextTokens, slots: query.slots ?? shapeDefault.slots }
      const here = await Promise.all(
        local.map(async (model): Promise<Candidate> => {
          const candidate = localCandidate(model)
          const trained = candidate.dimensions.contextTokensTrained ?? shape.contextTokens
          const wanted = { ...shape, contextTokens: Math.min(shape.contextTokens, trained) }
          const { gpuLayers } = sizeModel({ ...wanted, dimensions: candidate.dimensions, budget: memoryBudget(profile) })
          const estimate = await parts.estimateMemory(model.path, { ...wanted, gpuLayers })
          return estimate === null ? candidate : { ...candidate, estimates: [estimate] satisfies MemoryEstimate[] }
        }),
      )
      const choice = chooseModel({
        profile,
        candidates: query.withCatalog ? mergeCandidates(here, parts.catalog()) : here,
        contextTokensWanted: shape.contextTokens,
        slotsWanted: shape.slots,
        ...(query.tokensPerSecondMin === null ? {} : { tokensPerSecondMin: query.tokensPerSecondMin }),
        corrections: corrections.all,
      })
      return { profile, choice, invalidFiles: library.invalidFiles }
    },
    async planLoad(model, wanted, leaving = []) {
      const plans = [...loaded()]
      return await planLoad({
        name: path.basename(model.path),
        manifest: model.manifest,
        profile: profileBeside(await parts.freshProfile(), {
          staying: plans.filter(([id]) => !leaving.includes(id)).map(([, plan]) => plan),
          leaving: plans.filter(([id]) => leaving.includes(id)).map(([, plan]) => plan),
        }),
        wanted,
        corrections: corrections.all,
        threads,
        estimate: (shape) => parts.estimateMemory(model.path, shape),
      })
    },
  }
}

/** Embedding models and rerankers lie in the same folder and cannot chat; the ones the catalog does not know show by their names. */
function isChatModel(model: LocalModel): boolean {
  const entry = catalogEntryOf(model)
  if (entry !== null) return entry.model.kind === 'chat'
  return !/bert|^t5|^clip|embed|rerank/i.test(`${model.manifest.architecture} ${path.basename(model.path)}`)
}
