import { type GpuProfile, type Log, ShoalError } from '@shoal/core'
import type { EstimateQuery, GpuChoice, MemoryEstimate } from './messages.ts'
import { QuestionChild } from './question-child.ts'

const child = new QuestionChild()

/**
 * The GPUs that the engine can really use, told by the engine's own library in a child process; empty when there is none, or when
 * its driver crashes. Several devices of one backend come as one profile with their summed memory.
 */
export async function probeGpus({ log }: { readonly log: Log }): Promise<readonly GpuProfile[]> {
  try {
    return (await child.ask({ kind: 'probe-gpus' }, log)) as GpuProfile[]
  } catch (error) {
    log.warn({ code: ShoalError.from(error).code }, `no GPU will be used: ${ShoalError.from(error).message}`)
    return []
  }
}

export interface MemoryQuery extends Omit<EstimateQuery, 'gpu'> {
  /** `auto` unless given. */
  readonly gpu?: GpuChoice
  readonly log: Log
}

/**
 * Bytes that weights and context will take, by node-llama-cpp's own estimators: they let llama.cpp lay the model out without
 * allocating it. Only the header of the file has to be there. Some ten milliseconds a question, half a second for the first.
 *
 * Rejects with MODEL_FILE_MISSING, MODEL_FILE_INVALID or ENGINE_CRASHED.
 */
export async function estimateMemory({ log, gpu = 'auto', ...query }: MemoryQuery): Promise<MemoryEstimate> {
  return (await child.ask({ kind: 'estimate', ...query, gpu }, log)) as MemoryEstimate
}
