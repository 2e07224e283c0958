import type { Llama } from 'node-llama-cpp'
import type { GpuChoice } from '../messages.ts'
import type { NativeLog } from './native-log.ts'

/** Tokens one decode may hold: llama.cpp's default for the physical batch; its buffers are part of every memory estimate. */
export const batchTokensMax = 512

/** Loads the native library, prebuilt only: nothing is compiled or downloaded. Loading takes some half a second, so it is done when needed. */
export async function openLlama(gpu: GpuChoice, log: NativeLog): Promise<Llama> {
  const { getLlama } = await import('node-llama-cpp')
  return getLlama({ gpu, build: 'never', skipDownload: true, logger: log.write, progressLogs: false })
}
