import { type Clock, type Engine, type InferenceRequest, type LoadedFacts, ShoalError } from '@shoal/core'
import { MockModel } from './mock-model.ts'

/**
 * - crash: every running request is lost, the model restarts
 * - hang: nothing comes any more; noticed after `noticeMs`, then as a crash
 */
export type MockFailure = 'crash' | 'hang'

export interface MockEngineOptions {
  readonly clock: Clock
  /** Time between two tokens of one stream; 0 = as many as the event loop carries. */
  readonly tokenIntervalMs?: number
  /** Time from the start of a request to its first token. */
  readonly prefillMs?: number
  /** Tokens after which an answer ends by itself. */
  readonly answerTokens?: number
  readonly loadMs?: number
  /** Time from a crash to the next `ready`. */
  readonly restartMs?: number
  /** Time until a hang is noticed. */
  readonly noticeMs?: number
  /** What loading is to fail with. */
  readonly loadFailure?: ShoalError
  /** Asked before every token. */
  readonly failAt?: (request: InferenceRequest, token: number) => MockFailure | null
  readonly facts?: Partial<LoadedFacts>
}

const loadSteps = 4

/** An engine without a model: deterministic answers (see `mockToken`), real slots, prefix cache, limits, cancellation and failures. */
export function createMockEngine(options: MockEngineOptions): Engine {
  const { clock, loadMs = 0, loadFailure } = options
  return {
    async loadModel(spec, onProgress, signal) {
      for (let step = 1; step <= loadSteps; step++) {
        await new Promise<void>((resolve) => clock.after(loadMs / loadSteps, resolve))
        if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'Loading was cancelled.' })
        onProgress(step / loadSteps)
      }
      if (loadFailure !== undefined) throw loadFailure
      const { contextTokens, slots, threads, gpuLayers } = spec.options
      const facts = {
        ...{ contextTokens, slots, threads: threads ?? 1, gpuLayers: gpuLayers ?? 0, residentBytes: null, vramBytes: null, loadMs },
        ...options.facts,
      }
      return new MockModel(spec.modelId, facts, options)
    },
  }
}
