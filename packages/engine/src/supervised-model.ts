import {
  type CancelSignal,
  type Clock,
  type EngineStatus,
  type GenerateEvent,
  type InferenceRequest,
  type LoadedFacts,
  type LoadedModel,
  type Log,
  type ModelId,
  ShoalError,
} from '@shoal/core'
import type { StartChild } from './child-process.ts'
import type { LoadCommand } from './messages.ts'
import { ModelProcess } from './model-process.ts'
import { healthyAfterMs, planRestart } from './supervision.ts'

export interface SupervisedModelOptions {
  readonly modelId: ModelId
  readonly command: LoadCommand
  readonly clock: Clock
  readonly log: Log
  readonly startChild: StartChild
}

/** Weight of the newest request in the reported speed. */
const speedShare = 0.3

/** A model that outlives its processes: a crash or hang ends the running requests, then a new process takes over. */
export class SupervisedModel implements LoadedModel {
  readonly modelId: ModelId
  readonly #options: SupervisedModelOptions
  readonly #listeners: (() => void)[] = []
  readonly #closing = new AbortController()
  #process: ModelProcess
  #facts: LoadedFacts
  #status: EngineStatus = { kind: 'ready' }
  #tokensPerSecond: number | null = null
  #failures = 0
  #readySinceMs: number
  #cancelRestart: () => void = () => {}

  /** Loads the model; rejects as `Engine.loadModel` does. A first load that fails is not tried again. */
  static async start(
    options: SupervisedModelOptions,
    onProgress: (progress: number) => void,
    signal: CancelSignal,
  ): Promise<SupervisedModel> {
    let model: SupervisedModel | null = null
    const process = new ModelProcess({
      ...options,
      onProgress,
      onLost: (error) => (model === null ? undefined : model.#lost(error)),
      onRunEnded: (speed) => (model === null ? undefined : model.#runEnded(speed)),
    })
    const facts = await process.loaded(signal)
    model = new SupervisedModel(options, process, facts)
    return model
  }

  private constructor(options: SupervisedModelOptions, process: ModelProcess, facts: LoadedFacts) {
    this.modelId = options.modelId
    this.#options = options
    this.#process = process
    this.#facts = facts
    this.#readySinceMs = options.clock.nowMs()
  }

  get facts(): LoadedFacts {
    return this.#facts
  }

  get status(): EngineStatus {
    return this.#status
  }

  get slotsUsed(): number {
    return this.#process.activeRuns
  }

  get tokensPerSecond(): number | null {
    return this.#tokensPerSecond
  }

  /** Process now behind the model; null = none could be started. For diagnosis. */
  get pid(): number | null {
    return this.#process.pid
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async generate(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: CancelSignal): Promise<void> {
    if (this.#status.kind !== 'ready') {
      const why = 'error' in this.#status ? `: ${this.#status.error}` : '.'
      throw new ShoalError({ code: 'ENGINE_UNAVAILABLE', message: `The engine of ${this.modelId} is ${this.#status.kind}${why}` })
    }
    if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'The request was cancelled.' })
    if (this.slotsUsed >= this.#facts.slots)
      throw new ShoalError({ code: 'NODE_BUSY', message: `All ${this.#facts.slots} slots of ${this.modelId} are in use.` })
    const ended = this.#process.run(request, onEvent, signal)
    this.#changed()
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#status.kind !== 'closed') {
      this.#setStatus({ kind: 'closed' })
      this.#cancelRestart()
      this.#closing.abort()
    }
    await this.#process.dispose()
  }

  #lost(error: ShoalError): void {
    const { clock, log } = this.#options
    if (this.#status.kind === 'closed') return
    if (clock.nowMs() - this.#readySinceMs >= healthyAfterMs) this.#failures = 0
    log.error({ modelId: this.modelId, code: error.code }, error.message)
    this.#restartLater(error)
  }

  #restartLater(error: ShoalError): void {
    this.#failures++
    const delayMs = planRestart(this.#failures)
    if (delayMs === null) {
      const message = `given up after ${this.#failures} failures in a row; the last: ${error.message}`
      this.#options.log.error({ modelId: this.modelId }, message)
      this.#setStatus({ kind: 'failed', error: message })
      return
    }
    this.#setStatus({ kind: 'restarting', error: error.message })
    this.#cancelRestart = this.#options.clock.after(delayMs, () => void this.#restart())
  }

  async #restart(): Promise<void> {
    const process = new ModelProcess({
      ...this.#options,
      onProgress: () => {},
      onLost: (error) => this.#lost(error),
      onRunEnded: (speed) => this.#runEnded(speed),
    })
    this.#process = process
    try {
      this.#facts = await process.loaded(this.#closing.signal)
    } catch (error) {
      if (this.#status.kind !== 'closed') this.#restartLater(ShoalError.from(error))
      return
    }
    this.#readySinceMs = this.#options.clock.nowMs()
    this.#options.log.info({ modelId: this.modelId, pid: process.pid }, 'the engine process was replaced')
    this.#setStatus({ kind: 'ready' })
  }

  #runEnded(speed: number | null): void {
    if (speed !== null)
      this.#tokensPerSecond = this.#tokensPerSecond === null ? speed : this.#tokensPerSecond + (speed - this.#tokensPerSecond) * speedShare
    this.#changed()
  }

  #setStatus(status: EngineStatus): void {
    this.#status = status
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
