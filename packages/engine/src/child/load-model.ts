import { availableParallelism, totalmem } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { type LoadedFacts, type LoadOptions, ShoalError } from '@shoal/core'
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import type { LoadCommand } from '../messages.ts'
import { createDecodeRounds, type DecodeRounds } from './decode-rounds.ts'
import { batchTokensMax, openLlama } from './llama.ts'
import { toLoadError } from './load-error.ts'
import type { NativeLog } from './native-log.ts'
import { measureResidentBytes } from './resident-memory.ts'
import { chooseThreads } from './threads.ts'

/** Share of the progress bar for reading the weights; the rest is the context and the first decodes. */
const weightsShare = 0.9
/** Checkpoints of recurrent state kept per slot, for models that cannot roll back. */
const checkpointsMax = 2
const logDelayMs = 50

export interface NativeModel {
  readonly model: LlamaModel
  readonly context: LlamaContext
  readonly sequences: readonly LlamaContextSequence[]
  readonly rounds: DecodeRounds
  readonly facts: LoadedFacts
}

/**
 * Loads the weights, makes one context with a sequence per slot, and decodes once, so that the first request meets warm pages
 * and a measured prefill speed.
 *
 * Rejects with MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_DOES_NOT_FIT or LOAD_FAILED.
 */
export async function loadNativeModel(command: LoadCommand, log: NativeLog, onProgress: (progress: number) => void): Promise<NativeModel> {
  const startedMs = performance.now()
  try {
    const llama = await openLlama(command.gpu, log)
    const threads = command.options.threads ?? chooseThreads({ mathCores: llama.cpuMathCores, available: availableParallelism() })
    llama.maxThreads = threads
    const model = await llama.loadModel({
      modelPath: command.path,
      gpuLayers: command.options.gpuLayers ?? { fitContext: { contextSize: command.options.contextTokens * command.options.slots } },
      ignoreMemorySafetyChecks: command.options.gpuLayers !== null,
      onLoadProgress: (progress) => onProgress(progress * weightsShare),
    })
    refuseBeyondMemory(model, command.options)
    const rounds = createDecodeRounds(() => performance.now(), batchTokensMax)
    const context = await model.createContext({
      contextSize: command.options.contextTokens,
      sequences: command.options.slots,
      batchSize: batchTokensMax,
      threads,
      ignoreMemorySafetyChecks: true,
      failedCreationRemedy: false,
      batching: { itemPrioritizationStrategy: rounds.strategy },
    })
    onProgress((1 + weightsShare) / 2)
    const sequences = Array.from({ length: command.options.slots }, () =>
      context.getSequence({ checkpoints: { max: checkpointsMax, interval: false } }),
    )
    await warmUp(model, sequences[0], rounds)
    onProgress(1)
    const facts = {
      contextTokens: Math.min(command.options.contextTokens, context.contextSize),
      slots: command.options.slots,
      threads,
      gpuLayers: model.gpuLayers,
      residentBytes: await measureResidentBytes(),
      vramBytes: llama.gpu === false ? 0 : model.memoryUsage.vram + context.memoryUsage.vram,
      loadMs: Math.round(performance.now() - startedMs),
    }
    return { model, context, sequences, rounds, facts }
  } catch (error) {
    // The lines of the native log come from other threads, and the one with the reason may still be on its way.
    await setTimeout(logDelayMs)
    throw toLoadError(error, command.path, log)
  }
}

/**
 * llama.cpp would fill the memory of the machine before it found that the context does not fit. This catches only what cannot be:
 * what fits beside everything else on this machine is the planner's decision.
 */
function refuseBeyondMemory(model: LlamaModel, options: LoadOptions): void {
  const { cpuRam, gpuVram } = model.fileInsights.estimateContextResourceRequirements({
    contextSize: options.contextTokens,
    sequences: options.slots,
    modelGpuLayers: model.gpuLayers,
    batchSize: batchTokensMax,
    // A rough guess that grows with the context far beyond what is really taken; the cache alone is exact.
    includeGraphOverhead: false,
  })
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
  if (cpuRam <= memoryBytes) return
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1)
  throw new ShoalError({
    code: 'MODEL_DOES_NOT_FIT',
    message: `A context of ${options.contextTokens} tokens for ${options.slots} slots takes ${gigabytes(cpuRam + gpuVram)} GB; this machine has ${gigabytes(memoryBytes)} GB.`,
    remedy: 'Load the model with a shorter context or fewer slots.',
  })
}

/** Sizes of the prefills before the first request. */
const warmUpTokens = [1, 8, 32, 128, batchTokensMax] as const
/** A longer prefill is not worth its time where a shorter one already takes so long. */
const warmUpStepMaxMs = 40

/** The first prefill touches every page of the weights; the next tell how many tokens fit into one batch. */
async function warmUp(model: LlamaModel, sequence: LlamaContextSequence | undefined, rounds: DecodeRounds): Promise<void> {
  if (sequence === undefined) return
  const token = model.tokens.bos ?? (0 as Token)
  const seat = rounds.join()
  for (const count of warmUpTokens) {
    if (sequence.nextTokenIndex + count >= sequence.contextSize) await sequence.clearHistory()
    if (count >= sequence.contextSize) break
    const startedMs = performance.now()
    for (let left: number = count; left > 0; ) {
      const granted = await seat.turn(left)
      await sequence.evaluateWithoutGeneratingNewTokens(Array.from({ length: granted }, () => token))
      left -= granted
    }
    if (count > 1 && performance.now() - startedMs > warmUpStepMaxMs) break
  }
  seat.leave()
  await sequence.clearHistory()
}
