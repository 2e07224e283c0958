import type { LlamaLogLevel } from 'node-llama-cpp'
import { expect, test } from 'vitest'
import { createNativeLog } from './native-log.ts'

const error = 'error' as LlamaLogLevel

test('the reason of an error is kept, without where it came from and without what follows', () => {
  const forwarded: string[] = []
  const log = createNativeLog((level, message) => forwarded.push(`${level} ${message}`))
  expect(log.lastError()).toBeNull()
  log.write(error, "llama_model_load: error loading model: unknown model architecture: 'x'\n")
  log.write(error, 'llama_model_load_from_file_impl: failed to load model\n')
  log.write('info' as LlamaLogLevel, 'chatter')
  log.write('warn' as LlamaLogLevel, 'careful\n')
  log.write(error, '\n')
  expect(log.lastError()).toBe("unknown model architecture: 'x'")
  expect(forwarded).toEqual([
    "warn llama_model_load: error loading model: unknown model architecture: 'x'",
    'warn llama_model_load_from_file_impl: failed to load model',
    'debug careful',
  ])
})
