import {
  type CancelSignal,
  type Clock,
  type GenerateEvent,
  type InferenceRequest,
  type LoadedFacts,
  type Log,
  ShoalError,
} from '@shoal/core'
import { type ActiveRun, createActiveRun } from './active-run.ts'
import type { Child, ChildExit, StartChild } from './child-process.ts'
import { type ChildWatch, createChildWatch } from './child-watch.ts'
import type { FromChild, LoadCommand, RunEvent } from './messages.ts'
import { tickMs } from './supervision.ts'

export interface ModelProcessOptions {
  readonly command: LoadCommand
  readonly clock: Clock
  readonly log: Log
  readonly startChild: StartChild
  onProgress(progress: number): void
  /** The process is gone without having been asked to go; its requests have been failed with the same error. */
  onLost(error: ShoalError): void
  /** A request ended; its speed, or null. */
  onRunEnded(tokensPerSecond: number | null): void
}

/**
 * - loading: no request yet
 * - serving: loaded
 * - ending: asked to go
 * - gone: its process has ended, or is as good as gone because it was killed
 */
type Phase = 'loading' | 'serving' | 'ending' | 'gone'

/** How long a child may take to go by itself. */
const exitGraceMs = 1500
/** How long a killed process may take to disappear; one that waits for a disk can take longer, and nobody can help that. */
const killGraceMs = 3000

/** One child process with one model in it: starts it, watches it, gives it requests. Lives once; who wants another makes another. */
export class ModelProcess {
  readonly #options: ModelProcessOptions
  readonly #child: Child
  readonly #runs = new Map<number, ActiveRun>()
  readonly #loaded = Promise.withResolvers<LoadedFacts>()
  readonly #gone = Promise.withResolvers<void>()
  #phase: Phase = 'loading'
  #lastRun = 0
  readonly #watch: ChildWatch
  #stopTicking: () => void = () => {}

  constructor(options: ModelProcessOptions) {
    this.#options = options
    this.#watch = createChildWatch(options.clock.nowMs())
    this.#child = options.startChild({ onMessage: (message) => this.#receive(message), onExit: (exit) => this.#exited(exit) })
    this.#loaded.promise.catch(() => {})
    this.#child.send(options.command)
    this.#tickLater()
  }

  get pid(): number | null {
    return this.#child.pid
  }

  get activeRuns(): number {
    return this.#runs.size
  }

  /** Resolves when the model is loaded. Rejects with LOAD_FAILED and its like, or CANCELLED; the process is gone then. */
  async loaded(signal: CancelSignal): Promise<LoadedFacts> {
    const cancel = () => this.#fail(new ShoalError({ code: 'CANCELLED', message: 'Loading was cancelled.' }))
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      return await this.#loaded.promise
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  /** As `LoadedModel.generate`, without the check for a free slot. */
  async run(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: CancelSignal): Promise<void> {
    const number = ++this.#lastRun
    const run = createActiveRun(request, onEvent)
    this.#watch.busy(this.#options.clock.nowMs(), true)
    this.#runs.set(number, run)
    const cancel = () => this.#child.send({ kind: 'cancel', run: number })
    this.#child.send({ kind: 'generate', run: number, request })
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      await run.ended
    } finally {
      signal.removeEventListener('abort', cancel)
      // Its receiver broke: the child does not know yet, and holds the slot until it does.
      if (this.#runs.has(number)) cancel()
    }
  }

  /** Asks the process to go, and kills it when it does not. Its requests end with ENGINE_UNAVAILABLE. */
  async dispose(): Promise<void> {
    const { clock } = this.#options
    if (this.#phase === 'loading' || this.#phase === 'serving') {
      this.#phase = 'ending'
      this.#failRuns(new ShoalError({ code: 'ENGINE_UNAVAILABLE', message: 'The model is being unloaded.' }))
      this.#loaded.reject(new ShoalError({ code: 'CANCELLED', message: 'Loading was cancelled.' }))
      this.#child.send({ kind: 'exit' })
    }
    const cancelKill = clock.after(exitGraceMs, () => this.#child.kill())
    const cancelWait = clock.after(exitGraceMs + killGraceMs, () => this.#gone.resolve())
    await this.#gone.promise
    cancelKill()
    cancelWait()
  }

  #receive(message: FromChild): void {
    const now = this.#options.clock.nowMs()
    this.#watch.heard(now)
    switch (message.kind) {
      case 'pulse':
        this.#watch.pulsed(now, message.progress)
        for (const run of this.#runs.values()) run.heartbeat(message.progress)
        break
      case 'events':
        this.#watch.progressed(now)
        for (const event of message.events) this.#hand(event, now)
        break
      case 'load-progress':
        if (this.#phase === 'loading') this.#options.onProgress(message.progress)
        break
      case 'loaded':
        if (this.#phase === 'loading') this.#phase = 'serving'
        this.#watch.loaded(now)
        this.#loaded.resolve(message.facts)
        break
      case 'load-failed':
        this.#fail(new ShoalError(message.error))
        break
      case 'log':
        this.#options.log[message.level]({ pid: this.pid }, message.message)
        break
      case 'answer':
      case 'answer-failed':
        break
    }
  }

  #hand(event: RunEvent, now: number): void {
    const run = this.#runs.get(event.run)
    if (run === undefined) return
    const isLast = event.kind === 'finished' || event.kind === 'failed'
    // The slot is free before the caller learns of the end, so that its next request finds it.
    if (isLast) this.#remove(event.run, now)
    run.handle(event, now)
    if (isLast) this.#options.onRunEnded(run.tokensPerSecond)
  }

  #remove(number: number, now: number): void {
    this.#runs.delete(number)
    this.#watch.busy(now, this.#runs.size > 0)
  }

  #tickLater(): void {
    this.#stopTicking = this.#options.clock.after(tickMs, () => this.#tick())
  }

  #tick(): void {
    const verdict = this.#watch.judge(this.#options.clock.nowMs())
    if (verdict.kind === 'fine') {
      this.#tickLater()
      return
    }
    const what = verdict.kind === 'silent' ? 'has not answered' : 'has completed no decode'
    const message = `The engine process ${this.pid ?? ''} ${what} for ${Math.round(verdict.forMs)} ms.`
    this.#fail(new ShoalError({ code: 'ENGINE_STUCK', message }))
  }

  #exited(exit: ChildExit): void {
    const how = exit.signal === null ? `ended with code ${exit.code ?? 'unknown'}` : `was ended by ${exit.signal}`
    const words = exit.lastWords === '' ? '' : `; it wrote: ${exit.lastWords}`
    const code = this.#phase === 'loading' ? 'LOAD_FAILED' : 'ENGINE_CRASHED'
    this.#fail(new ShoalError({ code, message: `The engine process ${this.pid ?? ''} ${how}${words}` }))
    this.#stopTicking()
    this.#gone.resolve()
  }

  /** Ends everything with one error; the process is killed, whatever state it is in. */
  #fail(error: ShoalError): void {
    if (this.#phase === 'gone' || this.#phase === 'ending') return
    const wasServing = this.#phase === 'serving'
    this.#phase = 'gone'
    this.#stopTicking()
    this.#child.kill()
    this.#failRuns(error)
    this.#loaded.reject(error)
    if (wasServing) this.#options.onLost(error)
  }

  #failRuns(error: ShoalError): void {
    const runs = [...this.#runs.values()]
    this.#runs.clear()
    this.#watch.busy(this.#options.clock.nowMs(), false)
    for (const run of runs) run.fail(error)
  }
}
