import { ShoalError } from '@shoal/core'
import type { NativeLog } from './native-log.ts'

/** Weights that cannot be allocated, and the only reason seen for a context that cannot be made. */
const noMemory = /failed to allocate|unable to allocate|out of memory|failed to create context/i
const invalidFile = /invalid gguf|gguf_init|not within the file bounds|corrupted or incomplete/i

/** What node-llama-cpp throws over a file -> MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_DOES_NOT_FIT or LOAD_FAILED. */
export function toLoadError(error: unknown, path: string, log: NativeLog): ShoalError {
  if (error instanceof ShoalError) return error
  const thrown = error instanceof Error ? error : new Error(String(error))
  const kind = thrown.constructor.name
  const native = log.lastError()
  const words = native === null ? thrown.message : `${thrown.message} (${native})`
  const facts = { cause: error }
  if ('code' in thrown && thrown.code === 'ENOENT')
    return new ShoalError({ ...facts, code: 'MODEL_FILE_MISSING', message: `There is no file ${path}.` })
  if (kind === 'InsufficientMemoryError' || noMemory.test(words))
    return new ShoalError({ ...facts, code: 'MODEL_DOES_NOT_FIT', message: `${path} does not fit: ${words}` })
  if (/gguf/i.test(kind) || thrown instanceof RangeError || invalidFile.test(words))
    return new ShoalError({ ...facts, code: 'MODEL_FILE_INVALID', message: `${path} is not a whole, valid GGUF: ${words}` })
  return new ShoalError({ ...facts, code: 'LOAD_FAILED', message: `${path} could not be loaded: ${words}` })
}
