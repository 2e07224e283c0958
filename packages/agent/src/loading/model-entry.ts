import { type LoadedModel, type LoadModelCommand, type ModelId, type NodeModelState, ShoalError } from '@shoal/core'
import type { LoadPlan, ModelOnDisk } from './load-ports.ts'

/**
 * - onTheWay: being obtained, fitted or loaded; `abort` ends it
 * - loaded: the engine has it; its own status says whether it serves
 * - failed: given up; kept so that people see why, until it is loaded again or unloaded
 */
export type Phase =
  | { readonly kind: 'onTheWay'; readonly status: 'downloading' | 'loading'; readonly progress: number | null }
  | { readonly kind: 'loaded'; readonly model: LoadedModel }
  | { readonly kind: 'failed'; readonly error: string }

/** One model this node has, is getting or could not get. */
export interface ModelEntry {
  readonly command: LoadModelCommand
  readonly abort: AbortController
  /** Called at every change of phase. */
  readonly listeners: Set<() => void>
  phase: Phase
  /** Settles when the load has ended, one way or the other. */
  result: Promise<NodeModelState>
  disk: ModelOnDisk | null
  plan: LoadPlan | null
  /** Requests admitted and not ended; the count that admission goes by. */
  running: number
}

export function createModelEntry(command: LoadModelCommand, run: (entry: ModelEntry) => Promise<NodeModelState>): ModelEntry {
  const started = Promise.withResolvers<NodeModelState>()
  const entry: ModelEntry = {
    command,
    abort: new AbortController(),
    listeners: new Set(),
    phase: { kind: 'onTheWay', status: command.source.kind === 'hub' ? 'downloading' : 'loading', progress: null },
    result: started.promise,
    disk: null,
    plan: null,
    running: 0,
  }
  started.resolve(Promise.resolve(entry).then(run))
  // Whoever asked for the load hears of its failure; it may have gone.
  entry.result.catch(() => undefined)
  return entry
}

/** True for what the same command should try afresh. */
export const isGone = ({ phase }: ModelEntry): boolean =>
  phase.kind === 'failed' || (phase.kind === 'loaded' && phase.model.status.kind === 'failed')

/** The same load asked for again is one load; another size of a loaded model is not what its users expect: INVALID_REQUEST. */
export function checkSameLoad(entry: ModelEntry, command: LoadModelCommand): void {
  const contextTokens = entry.plan?.options.contextTokens ?? entry.command.contextTokens
  const slots = entry.plan?.options.slots ?? entry.command.slots
  // A wish that was cut to what the model can do (its trained context) is still the same wish.
  if (command.contextTokens === entry.command.contextTokens && command.slots === entry.command.slots) return
  const differs = (wanted: number | null, has: number | null) => wanted !== null && has !== null && wanted !== has
  if (!differs(command.contextTokens, contextTokens) && !differs(command.slots, slots)) return
  const size = (tokens: number | null, count: number | null) => `${tokens ?? 'any'} tokens of context and ${count ?? 'any'} slots`
  throw new ShoalError({
    code: 'INVALID_REQUEST',
    message: `${command.modelId} is loaded here with ${size(contextTokens, slots)}, not ${size(command.contextTokens, command.slots)}.`,
    remedy: 'Take it back first, then deploy it with the other size.',
    param: 'contextTokens',
  })
}

/** The loaded model of an entry; throws MODEL_UNKNOWN that says what is there instead. */
export function servableModel(entry: ModelEntry | undefined, id: ModelId): LoadedModel {
  if (entry?.phase.kind === 'loaded') return entry.phase.model
  const what = entry === undefined ? 'has not loaded' : entry.phase.kind === 'failed' ? 'could not load' : 'is still loading'
  throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `This node ${what} ${id}.` })
}

export function stateOfEntry(entry: ModelEntry): NodeModelState {
  const { phase, plan, disk } = entry
  const base = {
    modelId: entry.command.modelId,
    progress: null,
    error: null,
    isDemo: disk?.manifest.isDemo ?? entry.command.source.kind === 'demo',
    sha256: disk?.sha256 ?? null,
    slotsTotal: plan?.options.slots ?? 0,
    slotsUsed: 0,
    contextTokens: plan?.options.contextTokens ?? 0,
    tokensPerSecond: null,
    plannedBytes: plan?.sizing.plannedBytes.total ?? null,
    facts: null,
  }
  switch (phase.kind) {
    case 'onTheWay':
      return { ...base, status: phase.status, progress: phase.progress }
    case 'failed':
      return { ...base, status: 'failed', error: phase.error }
    case 'loaded': {
      const { facts, status, tokensPerSecond } = phase.model
      return {
        ...base,
        status: status.kind === 'closed' ? 'failed' : status.kind,
        error: 'error' in status ? status.error : null,
        slotsTotal: facts.slots,
        slotsUsed: entry.running,
        contextTokens: facts.contextTokens,
        tokensPerSecond,
        facts,
      }
    }
  }
}
