import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { type LoadedFacts, ShoalError } from '@shoal/core'
import type { Llama, LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import type { LoadCommand } from '../messages.ts'
import { type BatchPacer, createBatchPacer } from './batch-pacer.ts'
import type { NativeLog } from './native-log.ts'
import { chooseThreads } from './threads.ts'

/** Tokens one decode may hold: llama.cpp's default for the physical batch. */
const batchTokensMax = 512
/** Share of the progress bar for reading the weights; the rest is the context and the first decodes. */
const weightsShare = 0.9
/** Checkpoints of recurrent state kept per slot, for models that cannot roll back. */
const checkpointsMax = 2

export interface NativeModel {
  readonly model: LlamaModel
  readonly context: LlamaContext
  readonly sequences: readonly LlamaContextSequence[]
  readonly pacer: BatchPacer
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
    const llama = await openLlama(command, log)
    const threads = command.options.threads ?? chooseThreads({ mathCores: llama.cpuMathCores, available: availableParallelism() })
    llama.maxThreads = threads
    const model = await llama.loadModel({
      modelPath: command.path,
      gpuLayers: command.options.gpuLayers ?? (command.gpu === false ? 0 : 'auto'),
      ignoreMemorySafetyChecks: command.options.gpuLayers !== null,
      onLoadProgress: (progress) => onProgress(progress * weightsShare),
    })
    const pacer = createBatchPacer(() => performance.now(), batchTokensMax)
    const context = await model.createContext({
      contextSize: command.options.contextTokens,
      sequences: command.options.slots,
      batchSize: batchTokensMax,
      threads,
      ignoreMemorySafetyChecks: true,
      failedCreationRemedy: false,
      batching: { itemPrioritizationStrategy: pacer.strategy },
    })
    onProgress((1 + weightsShare) / 2)
    const sequences = Array.from({ length: command.options.slots }, () =>
      context.getSequence({ checkpoints: { max: checkpointsMax, interval: false } }),
    )
    await warmUp(model, sequences[0], pacer)
    const facts = {
      contextTokens: Math.min(command.options.contextTokens, context.contextSize),
      slots: command.options.slots,
      threads,
      gpuLayers: model.gpuLayers,
      residentBytes: await measureResidentBytes(),
      vramBytes: llama.gpu === false ? 0 : model.memoryUsage.vram + context.memoryUsage.vram,
      loadMs: Math.round(performance.now() - startedMs),
    }
    return { model, context, sequences, pacer, facts }
  } catch (error) {
    throw toLoadError(error, command, log)
  }
}

async function openLlama(command: LoadCommand, log: NativeLog): Promise<Llama> {
  const { getLlama } = await import('node-llama-cpp')
  return getLlama({ gpu: command.gpu, build: 'never', skipDownload: true, logger: log.write, progressLogs: false })
}

/** A few short prefills: the first touches every page of the weights, the others tell how many tokens fit into one batch. */
async function warmUp(model: LlamaModel, sequence: LlamaContextSequence | undefined, pacer: BatchPacer): Promise<void> {
  if (sequence === undefined) return
  const token = model.tokens.bos ?? (0 as Token)
  for (const count of [1, 8, 32]) {
    if (count >= sequence.contextSize) break
    pacer.evaluationQueued()
    await sequence.evaluateWithoutGeneratingNewTokens(Array.from({ length: count }, () => token))
    pacer.evaluationEnded()
    if (pacer.progress().slowestDecodeMs > 1000) break
  }
  await sequence.clearHistory()
}

/** Anonymous and file-backed resident memory as the kernel counts it; elsewhere what Node knows. */
async function measureResidentBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kibibytes = ['RssAnon', 'RssFile'].map((key) => new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
  return kibibytes.every((value) => value !== undefined)
    ? kibibytes.reduce((sum, value) => sum + Number(value) * 1024, 0)
    : process.memoryUsage().rss
}

function toLoadError(error: unknown, command: LoadCommand, log: NativeLog): ShoalError {
  if (error instanceof ShoalError) return error
  const thrown = error instanceof Error ? error : new Error(String(error))
  const facts = { cause: error }
  if ('code' in thrown && thrown.code === 'ENOENT')
    return new ShoalError({ ...facts, code: 'MODEL_FILE_MISSING', message: `There is no file ${command.path}.` })
  if (thrown.name === 'InsufficientMemoryError' || thrown.constructor.name === 'InsufficientMemoryError')
    return new ShoalError({ ...facts, code: 'MODEL_DOES_NOT_FIT', message: `${command.path} does not fit: ${thrown.message}` })
  if (/Gguf/.test(thrown.constructor.name))
    return new ShoalError({ ...facts, code: 'MODEL_FILE_INVALID', message: `${command.path} is not a valid GGUF: ${thrown.message}` })
  const native = log.lastError()
  const words = native === null ? thrown.message : `${thrown.message} (${native})`
  return new ShoalError({ ...facts, code: 'LOAD_FAILED', message: `${command.path} could not be loaded: ${words}` })
}
