import {
  type Clock,
  type DrainResult,
  type Engine,
  type GenerateEvent,
  type InferenceRequest,
  type LoadedModel,
  type LoadModelCommand,
  type Log,
  type ModelId,
  type NodeModelState,
  ShoalError,
} from '@shoal/core'
import { abandonable, cancelled } from '../time.ts'
import { createIdleWaiters } from './idle-waiters.ts'
import type { LoadPlan, LoadProgress, ModelOnDisk } from './load-ports.ts'
import { checkSameLoad, createModelEntry, isGone, type ModelEntry, type Phase, servableModel, stateOfEntry } from './model-entry.ts'

/** The steps of a load, in their order. Each rejects with the ShoalError that ends the load. */
export interface LoadSteps {
  readonly engine: Engine
  /** Finds or fetches the file and checks its header. */
  obtain(command: LoadModelCommand, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<ModelOnDisk>
  /** Fits it into the memory that is free now, beside the models that are loaded. */
  fit(model: ModelOnDisk, command: LoadModelCommand): Promise<LoadPlan>
  /** Called after a load: compares, remembers, hashes. Must not throw. */
  loaded(disk: ModelOnDisk, plan: LoadPlan, model: LoadedModel): void
}

/** The models of this node: what is loaded, what is on its way, and who may use it. Disposing it unloads everything at once. */
export interface ModelHost extends AsyncDisposable {
  readonly draining: boolean
  states(): readonly NodeModelState[]
  /** Plans of the models that are in memory now: loaded, or unloaded and finishing their requests. */
  plans(): readonly (readonly [ModelId, LoadPlan])[]
  /**
   * As `NodeApi.loadModel`. The load belongs to the node: it goes on when the caller has gone (a gateway that restarts asks again and
   * joins), and `unload` ends it.
   */
  load(command: LoadModelCommand, onProgress: (state: NodeModelState) => void, signal: AbortSignal): Promise<NodeModelState>
  /** Takes no more requests for the model at once; resolves when those that run have ended (within `waitMs`, 30 s) and its memory is free. */
  unload(modelId: ModelId, waitMs?: number): Promise<void>
  drain(deadlineMs: number, signal: AbortSignal): Promise<DrainResult>
  /** As `NodeApi.generate`. */
  generate(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: AbortSignal): Promise<void>
  /** The digest of a file became known. */
  setDigest(path: string, sha256: string): void
}

const unloadWaitMsDefault = 30_000

export function createModelHost(options: {
  readonly steps: LoadSteps
  readonly clock: Clock
  readonly log: Log
  readonly onChange: () => void
}): ModelHost {
  const entries = new Map<ModelId, ModelEntry>()
  /** Out of the books and still in memory, each with the promise of its end. */
  const leaving = new Map<ModelEntry, Promise<void>>()
  const idle = createIdleWaiters(options.clock)
  const memory = createMemoryTurns()
  let draining = false

  const inMemory = () => [...entries.values(), ...leaving.keys()]
  const changed = () => {
    options.onChange()
    idle.check()
  }
  const setPhase = (entry: ModelEntry, phase: Phase) => {
    entry.phase = phase
    for (const listener of entry.listeners) listener()
    changed()
  }

  /** What does not fit beside models that finish their last requests is tried again whenever one of them has gone. */
  const fitBesideLeaving = async (entry: ModelEntry, fit: () => Promise<LoadPlan>): Promise<LoadPlan> => {
    for (;;) {
      const ends = [...leaving].flatMap(([{ phase }, end]) => (phase.kind === 'loaded' ? [end.catch(() => undefined)] : []))
      try {
        return await fit()
      } catch (error) {
        if (ends.length === 0 || ShoalError.from(error).code !== 'MODEL_DOES_NOT_FIT') throw error
      }
      options.log.info({ modelId: entry.command.modelId }, 'a load waits for the memory of a model that finishes its requests')
      await abandonable(Promise.race(ends), entry.abort.signal)
    }
  }

  const obtainAndLoad = async (entry: ModelEntry): Promise<NodeModelState> => {
    const { command, abort } = entry
    const { obtain, fit, engine, loaded } = options.steps
    const onTheWay = (status: LoadProgress['status'], progress: number | null) => setPhase(entry, { kind: 'onTheWay', status, progress })
    checkNotCancelled(entry)
    const disk = await obtain(command, ({ status, progress }) => onTheWay(status, progress), abort.signal)
    entry.disk = disk
    onTheWay('loading', 0)
    return await memory.take(async () => {
      checkNotCancelled(entry)
      const plan = await fitBesideLeaving(entry, () => fit(disk, command))
      entry.plan = plan
      const spec = { modelId: command.modelId, path: disk.path, options: plan.options }
      const model = await engine.loadModel(spec, (progress) => onTheWay('loading', progress), abort.signal)
      if (abort.signal.aborted) await model[Symbol.asyncDispose]()
      checkNotCancelled(entry)
      model.onChange(changed)
      setPhase(entry, { kind: 'loaded', model })
      loaded(disk, plan, model)
      return stateOfEntry(entry)
    })
  }

  const run = async (entry: ModelEntry): Promise<NodeModelState> => {
    const { modelId } = entry.command
    try {
      return await obtainAndLoad(entry)
    } catch (thrown) {
      const error = ShoalError.from(thrown)
      if (error.code === 'CANCELLED') {
        if (entries.get(modelId) === entry) entries.delete(modelId)
        changed()
      } else {
        options.log.warn({ modelId, code: error.code, reason: error.message }, 'a model could not be loaded')
        setPhase(entry, { kind: 'failed', error: `${error.message} ${error.remedy}` })
      }
      throw error
    }
  }

  /** Out of the books at once, so that no request is admitted; its memory is free when this resolves. */
  const release = (entry: ModelEntry, waitMs: number): Promise<void> => {
    const end = letGo(entry, waitMs).finally(() => leaving.delete(entry))
    leaving.set(entry, end)
    return end
  }
  const letGo = async (entry: ModelEntry, waitMs: number) => {
    if (entries.get(entry.command.modelId) === entry) entries.delete(entry.command.modelId)
    changed()
    entry.abort.abort()
    await entry.result.catch(() => undefined)
    const { phase } = entry
    if (phase.kind !== 'loaded') return
    await idle.wait(() => entry.running, waitMs, null)
    await memory.free(async () => await phase.model[Symbol.asyncDispose]())
  }

  const begin = (command: LoadModelCommand): ModelEntry => {
    const entry = createModelEntry(command, run)
    entries.set(command.modelId, entry)
    changed()
    return entry
  }

  return {
    get draining() {
      return draining
    },
    states: () => [...entries.values()].map(stateOfEntry),
    plans: () =>
      inMemory().flatMap(({ command, phase, plan }) =>
        phase.kind === 'loaded' && plan !== null ? [[command.modelId, plan] as const] : [],
      ),
    async load(command, onProgress, signal) {
      if (draining) throw new ShoalError({ code: 'NODE_DRAINING', message: 'This node is leaving and loads nothing more.' })
      let entry = entries.get(command.modelId)
      if (entry !== undefined && isGone(entry)) {
        await release(entry, 0)
        entry = entries.get(command.modelId)
      }
      if (entry === undefined) entry = begin(command)
      else checkSameLoad(entry, command)
      const { listeners, result } = entry
      const of = entry
      const report = () => onProgress(stateOfEntry(of))
      listeners.add(report)
      report()
      try {
        return await abandonable(result, signal)
      } finally {
        listeners.delete(report)
      }
    },
    async unload(modelId, waitMs = unloadWaitMsDefault) {
      const entry = entries.get(modelId)
      if (entry === undefined) throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `This node has not loaded ${modelId}.` })
      await release(entry, waitMs)
    },
    async drain(deadlineMs, signal) {
      draining = true
      changed()
      const running = () => inMemory().reduce((sum, entry) => sum + entry.running, 0)
      return { unfinished: await idle.wait(running, deadlineMs, signal) }
    },
    async generate(request, onEvent, signal) {
      if (draining) throw new ShoalError({ code: 'NODE_DRAINING', message: 'This node is leaving and takes no new requests.' })
      const entry = entries.get(request.modelId)
      const model = servableModel(entry, request.modelId)
      if (entry === undefined || entry.running >= model.facts.slots) {
        throw new ShoalError({ code: 'NODE_BUSY', message: `All ${model.facts.slots} slots of ${request.modelId} on this node are taken.` })
      }
      entry.running += 1
      changed()
      try {
        await model.generate(request, onEvent, signal)
      } finally {
        // The slot is free when the engine says so, not when the client has gone.
        entry.running -= 1
        changed()
      }
    },
    setDigest(path, sha256) {
      for (const entry of entries.values()) {
        if (entry.disk?.path === path) entry.disk = { ...entry.disk, sha256 }
      }
      changed()
    },
    async [Symbol.asyncDispose]() {
      draining = true
      const left = [...leaving.keys()].map(async ({ phase }) => {
        if (phase.kind === 'loaded') await phase.model[Symbol.asyncDispose]()
      })
      await Promise.all([...left, ...[...entries.values()].map((entry) => release(entry, 0))])
    },
  }
}

function checkNotCancelled({ abort, command }: ModelEntry): void {
  if (abort.signal.aborted) throw cancelled(`Loading ${command.modelId} was cancelled.`)
}

/** One fit and load at a time, and none while memory is being freed: a fit is only true while nobody else changes what is free. */
function createMemoryTurns() {
  const freeing = new Set<Promise<unknown>>()
  let last: Promise<unknown> = Promise.resolve()
  return {
    take<T>(work: () => Promise<T>): Promise<T> {
      const turn = last.then(() => Promise.allSettled(freeing)).then(work)
      last = turn.catch(() => undefined)
      return turn
    },
    async free(work: () => Promise<void>): Promise<void> {
      const done = work().finally(() => freeing.delete(done))
      freeing.add(done)
      await done
    },
  }
}
