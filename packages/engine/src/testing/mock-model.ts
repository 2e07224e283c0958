import {
  type CancelSignal,
  type EngineStatus,
  type GenerateEvent,
  type InferenceRequest,
  type LoadedFacts,
  type LoadedModel,
  type ModelId,
  ShoalError,
} from '@shoal/core'
import { chooseSlot, countCommonPrefix } from '../child/slots.ts'
import type { MockEngineOptions } from './mock-engine.ts'
import { hashMessages, mockPromptTokenIds, mockToken } from './mock-tokens.ts'

interface Slot {
  cachedTokenIds: readonly number[]
  lastUsed: number
  busy: boolean
}

interface Stream {
  readonly request: InferenceRequest
  readonly messagesHash: number
  readonly tokensMax: number
  readonly stopsAt: number
  readonly slot: Slot
  readonly startsMs: number
  readonly onEvent: (event: GenerateEvent) => void
  readonly signal: CancelSignal
  readonly end: PromiseWithResolvers<void>
  sent: number
}

const heartbeatMs = 250
/** Tokens per stream and turn of the event loop when they come without delay. */
const burstTokens = 32

/** Runs all streams of a model from one timer, so that thousands of tokens per second cost thousands of function calls and no more. */
export class MockModel implements LoadedModel {
  readonly modelId: ModelId
  readonly facts: LoadedFacts
  status: EngineStatus = { kind: 'ready' }
  tokensPerSecond: number | null = null
  readonly #options: MockEngineOptions
  readonly #listeners: (() => void)[] = []
  readonly #slots: readonly Slot[]
  readonly #streams = new Set<Stream>()
  #stopTicking: (() => void) | null = null
  #cancelRecovery: () => void = () => {}
  #isHanging = false
  #completedDecodes = 0
  #lastDecodeMs = 0
  #lastHeartbeatMs = 0
  #uses = 0

  constructor(modelId: ModelId, facts: LoadedFacts, options: MockEngineOptions) {
    this.modelId = modelId
    this.facts = facts
    this.#options = options
    this.#slots = Array.from({ length: facts.slots }, () => ({ cachedTokenIds: [], lastUsed: 0, busy: false }))
  }

  get slotsUsed(): number {
    return this.#streams.size
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async generate(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: CancelSignal): Promise<void> {
    const { clock, answerTokens = 64, prefillMs = 0, tokenIntervalMs = 0 } = this.#options
    if (this.status.kind !== 'ready')
      throw new ShoalError({ code: 'ENGINE_UNAVAILABLE', message: `The engine of ${this.modelId} is ${this.status.kind}.` })
    if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'The request was cancelled.' })
    const promptTokenIds = mockPromptTokenIds(request.messages)
    const { contextTokens } = this.facts
    const free = this.#slots.filter((slot) => !slot.busy)
    const slot = free[chooseSlot(free, promptTokenIds)]
    if (slot === undefined)
      throw new ShoalError({ code: 'NODE_BUSY', message: `All ${this.facts.slots} slots of ${this.modelId} are in use.` })
    if (promptTokenIds.length >= contextTokens)
      throw new ShoalError({
        code: 'CONTEXT_LENGTH_EXCEEDED',
        message: `The prompt has ${promptTokenIds.length} tokens; the context of this model holds ${contextTokens}, answer included.`,
        param: 'messages',
      })
    const cachedTokens = Math.min(countCommonPrefix(slot.cachedTokenIds, promptTokenIds), promptTokenIds.length - 1)
    Object.assign(slot, { busy: true, lastUsed: ++this.#uses, cachedTokenIds: promptTokenIds })
    const room = contextTokens - promptTokenIds.length
    const stream: Stream = {
      ...{ request, slot, onEvent, signal, stopsAt: answerTokens, tokensMax: Math.min(request.tokensMax ?? room, room), sent: 0 },
      messagesHash: hashMessages(request.messages),
      startsMs: clock.nowMs() + prefillMs + tokenIntervalMs,
      end: Promise.withResolvers<void>(),
    }
    this.#streams.add(stream)
    this.#changed()
    onEvent({ kind: 'accepted', promptTokens: promptTokenIds.length, cachedTokens, promptTokenIds })
    const cancel = () => this.#end(stream, new ShoalError({ code: 'CANCELLED', message: 'The request was cancelled.' }))
    signal.addEventListener('abort', cancel, { once: true })
    this.#tickLater()
    try {
      await stream.end.promise
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopTicking?.()
    this.#cancelRecovery()
    this.status = { kind: 'closed' }
    this.#endAll(new ShoalError({ code: 'ENGINE_UNAVAILABLE', message: 'The model is being unloaded.' }))
    this.#changed()
  }

  #tickLater(): void {
    if (this.#stopTicking !== null || this.#streams.size === 0) return
    this.#stopTicking = this.#options.clock.after(Math.min(this.#options.tokenIntervalMs ?? 0, heartbeatMs), () => {
      this.#stopTicking = null
      this.#tick()
      this.#tickLater()
    })
  }

  #tick(): void {
    const now = this.#options.clock.nowMs()
    for (const stream of [...this.#streams]) if (!this.#isHanging) this.#advance(stream, now)
    if (now - this.#lastHeartbeatMs < heartbeatMs) return
    this.#lastHeartbeatMs = now
    const runningDecodeAgeMs = this.#isHanging ? Math.round(now - this.#lastDecodeMs) : 0
    for (const stream of [...this.#streams])
      stream.onEvent({ kind: 'heartbeat', completedDecodes: this.#completedDecodes, runningDecodeAgeMs })
  }

  /** Sends what is due of one stream by now, one token per frame. */
  #advance(stream: Stream, now: number): void {
    const { tokenIntervalMs = 0 } = this.#options
    if (now < stream.startsMs) return
    const due = tokenIntervalMs === 0 ? stream.sent + burstTokens : 1 + Math.floor((now - stream.startsMs) / tokenIntervalMs)
    const whole = Math.min(stream.stopsAt, stream.tokensMax)
    // The receiver of a token may cancel its own stream, and a failure ends them all.
    while (stream.sent < Math.min(due, whole) && this.#streams.has(stream)) {
      if (this.#failed(stream, now)) return
      const seq = stream.sent++
      const { tokenId, text } = mockToken(stream.messagesHash, seq)
      this.#completedDecodes++
      this.#lastDecodeMs = now
      stream.onEvent({ kind: 'tokens', epoch: stream.request.epoch, seq, tokenIds: [tokenId], text })
    }
    if (stream.sent >= whole && this.#streams.has(stream)) this.#finish(stream, stream.sent >= stream.stopsAt ? 'stop' : 'length')
  }

  #failed(stream: Stream, now: number): boolean {
    const failure = this.#options.failAt?.(stream.request, stream.sent) ?? null
    if (failure === null) return false
    if (failure === 'crash') this.#crash(new ShoalError({ code: 'ENGINE_CRASHED', message: 'The mock engine crashed.' }))
    else {
      this.#isHanging = true
      this.#lastDecodeMs = now
      const stuck = new ShoalError({ code: 'ENGINE_STUCK', message: 'The mock engine completes no decode.' })
      this.#cancelRecovery = this.#options.clock.after(this.#options.noticeMs ?? 3000, () => this.#crash(stuck))
    }
    return true
  }

  #crash(error: ShoalError): void {
    this.#isHanging = false
    this.status = { kind: 'restarting', error: error.message }
    for (const slot of this.#slots) slot.cachedTokenIds = []
    this.#endAll(error)
    this.#changed()
    this.#cancelRecovery = this.#options.clock.after(this.#options.restartMs ?? 250, () => {
      this.status = { kind: 'ready' }
      this.#changed()
    })
  }

  #finish(stream: Stream, reason: 'stop' | 'length'): void {
    const elapsedMs = this.#options.clock.nowMs() - stream.startsMs
    if (elapsedMs > 0 && stream.sent > 1) this.tokensPerSecond = ((stream.sent - 1) * 1000) / elapsedMs
    this.#remove(stream)
    stream.onEvent({ kind: 'finished', reason, completionTokens: stream.sent })
    stream.end.resolve()
    this.#changed()
  }

  #end(stream: Stream, error: ShoalError): void {
    this.#remove(stream)
    stream.end.reject(error)
    this.#changed()
  }

  #endAll(error: ShoalError): void {
    for (const stream of [...this.#streams]) this.#end(stream, error)
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream)
    stream.slot.busy = false
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
