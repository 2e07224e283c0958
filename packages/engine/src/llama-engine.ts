import type { Clock, Engine, Log } from '@shoal/core'
import { startEngineChild } from './child-process.ts'
import type { GpuChoice } from './messages.ts'
import { SupervisedModel } from './supervised-model.ts'

/** Threads of libuv's pool beyond one per slot: file reads, model load. */
const workerThreadsSpare = 4

export interface LlamaEngineOptions {
  readonly log: Log
  readonly clock: Clock
  /** `auto` unless given. */
  readonly gpu?: GpuChoice
}

/** The embedded engine: node-llama-cpp, one child process per loaded model. */
export function createLlamaEngine(options: LlamaEngineOptions): Engine {
  const { log, clock, gpu = 'auto' } = options
  return {
    loadModel: ({ modelId, path, options: loadOptions }, onProgress, signal) =>
      SupervisedModel.start(
        {
          modelId,
          command: { kind: 'load', path, options: loadOptions, gpu },
          clock,
          log: log.child({ modelId }),
          startChild: (handlers) => startEngineChild(handlers, loadOptions.slots + workerThreadsSpare),
        },
        onProgress,
        signal,
      ),
  }
}
