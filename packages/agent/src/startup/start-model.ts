import path from 'node:path'
import { type ErrorCode, type LoadModelCommand, type ModelId, type ModelSource, type NodeModelState, ShoalError } from '@shoal/core'
import { demoModelId } from '@shoal/gguf'
import { type ModelChoice, resolveModelName } from '@shoal/planner'
import type { Agent } from '../agent.ts'
import type { DownloadProgress, HubSource } from '../hub/download-model.ts'
import { probeHub } from '../hub/hub.ts'
import { hubFacts, localFacts, planStart, type StartCandidate, type StartPlan } from './plan-start.ts'
import { swapModel } from './swap-model.ts'

/** What happens on the way, for people; nothing is printed here. */
export type StartEvent =
  | ({ readonly kind: 'download'; readonly modelId: ModelId } & DownloadProgress)
  | { readonly kind: 'load'; readonly modelId: ModelId; readonly progress: number | null }
  | { readonly kind: 'note'; readonly text: string }

export interface StartModelOptions {
  /** Path, `hf:owner/repo:QUANT`, catalog id, or name of a file in the models folder; null = what suits this machine best. */
  readonly model: string | null
  /** Never ask the model hub. */
  readonly offline: boolean
  /** Null = the planner chooses. */
  readonly contextTokens: number | null
  readonly slots: number | null
  readonly onEvent: (event: StartEvent) => void
  readonly signal: AbortSignal
}

export interface StartedModel {
  readonly state: NodeModelState
  /** Settles when the better model that is fetched behind this one serves in its place; null = there is none, or it could not be had. */
  readonly better: Promise<NodeModelState | null>
}

/**
 * Brings one model to `ready`: the one that was asked for, or the best this machine can have now (see `planStart`). With a named model it
 * rejects as its load does; without one it falls back to the next possibility and in the end to the demo, and says so in notes.
 */
export async function serveStartModel(agent: Agent, options: StartModelOptions): Promise<StartedModel> {
  const start = createStart(agent, options)
  if (options.model !== null) return { state: await start.load(namedModel(options.model, options.offline)), better: nothingBetter }
  const tried = { models: new Set<ModelId>(), hubFailed: false }
  for (;;) {
    const plan = await chooseStart(agent, options, tried)
    if (plan.kind === 'demo') return { state: await start.demo(plan.reason), better: nothingBetter }
    try {
      return await carryOut(plan, { agent, start, options })
    } catch (thrown) {
      const error = ShoalError.from(thrown)
      if (error.code === 'CANCELLED') throw error
      start.note(`${plan.first.modelId} could not be served: ${error.message}`)
      tried.models.add(plan.first.modelId)
      tried.hubFailed ||= fetchErrors.has(error.code)
    }
  }
}

const nothingBetter = Promise.resolve(null)
/** What fails one download will fail the next. */
const fetchErrors: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['DOWNLOAD_FAILED', 'DISK_FULL'])

async function carryOut(plan: Exclude<StartPlan, { kind: 'demo' }>, context: Omit<Improvement, 'from' | 'to'>): Promise<StartedModel> {
  if (plan.kind === 'load') return { state: await context.start.load(plan.first), better: nothingBetter }
  const { first, better } = plan
  context.start.note(`${first.modelId} first, because it is here soonest; ${better.modelId} is fetched behind it.`)
  const state = await context.start.load(first)
  return { state, better: improve({ ...context, from: first, to: better }) }
}

/** Never rejects: the first model goes on serving whatever happens to the better one. */
async function improve({ agent, start, from, to, options }: Improvement): Promise<NodeModelState | null> {
  try {
    const file = to.source.kind === 'hub' ? (await start.fetch(to.modelId, to.source)).path : null
    const command = commandFor({ modelId: to.modelId, source: file === null ? to.source : { kind: 'local', path: file } }, options)
    const state = await swapModel(agent, { from, to: command, onProgress: start.loading, signal: options.signal })
    start.note(`${to.modelId} serves now in place of ${from.modelId}.`)
    return state
  } catch (thrown) {
    const error = ShoalError.from(thrown)
    if (error.code !== 'CANCELLED') {
      start.note(`${to.modelId} could not take over: ${error.message} ${error.remedy} ${from.modelId} goes on serving.`)
    }
    return null
  }
}

interface Improvement {
  readonly agent: Agent
  readonly start: Start
  readonly from: StartCandidate
  readonly to: StartCandidate
  readonly options: StartModelOptions
}

async function chooseStart(
  agent: Agent,
  { offline, contextTokens, slots }: StartModelOptions,
  tried: { readonly models: ReadonlySet<ModelId>; readonly hubFailed: boolean },
): Promise<StartPlan> {
  const query = { contextTokens, slots, tokensPerSecondMin: null }
  const left = (choice: ModelChoice): ModelChoice => ({
    ...choice,
    plans: choice.plans.filter((plan) => !tried.models.has(plan.candidate.modelId)),
  })
  const here = await agent.planning.planLocal({ ...query, withCatalog: false })
  const facts = { ...localFacts(left(here.choice)), diskFreeBytes: here.profile.disk?.freeBytes ?? null }
  if (facts.local.length > 0 || offline) return planStart({ ...facts, hub: [], hubReachable: null })
  const hubReachable = !tried.hubFailed && (await probeHub(agent.hub.address, agent.hub.fetch))
  if (!hubReachable) return planStart({ ...facts, hub: [], hubReachable })
  const { choice } = await agent.planning.planLocal({ ...query, withCatalog: true })
  return planStart({ ...facts, ...hubFacts(left(choice)), hubReachable })
}

/** What `--model` says. A path may be relative to where the program was started. */
function namedModel(model: string, offline: boolean): Pick<StartCandidate, 'modelId' | 'source'> {
  const isPath = /\.gguf$/i.test(model) && !/^hf:/i.test(model)
  const named = resolveModelName(isPath ? path.resolve(model) : model)
  if (!offline || named.source.kind !== 'hub') return named
  return { modelId: named.modelId, source: { kind: 'local', path: null } }
}

type Start = ReturnType<typeof createStart>

/** The steps of a start, each telling its progress. */
function createStart(agent: Agent, options: StartModelOptions) {
  const { onEvent, signal } = options
  const note = (text: string) => onEvent({ kind: 'note', text })
  const loading = (state: NodeModelState) => {
    if (state.status === 'loading') onEvent({ kind: 'load', modelId: state.modelId, progress: state.progress })
  }
  const downloading = (modelId: ModelId) => (progress: DownloadProgress) => onEvent({ kind: 'download', modelId, ...progress })
  const load = async (wanted: { readonly modelId: ModelId; readonly source: ModelSource }): Promise<NodeModelState> => {
    const { modelId, source } = wanted
    const unwatch = source.kind === 'hub' ? agent.fetcher.watch(source, downloading(modelId)) : () => undefined
    try {
      return await agent.api.loadModel(commandFor(wanted, options), loading, signal)
    } finally {
      unwatch()
    }
  }
  return {
    note,
    loading,
    load,
    fetch: (modelId: ModelId, source: HubSource) => agent.fetcher.fetch(source, downloading(modelId), signal),
    async demo(reason: string): Promise<NodeModelState> {
      note(
        `${reason} Serving the demo model, which knows nothing. For a real one put a GGUF into ${agent.modelsDirectory}, or use --model.`,
      )
      return await load({ modelId: demoModelId, source: { kind: 'demo' } })
    },
  }
}

const commandFor = (
  { modelId, source }: { readonly modelId: ModelId; readonly source: ModelSource },
  { contextTokens, slots }: Pick<StartModelOptions, 'contextTokens' | 'slots'>,
): LoadModelCommand => ({ modelId, source, contextTokens, slots })
