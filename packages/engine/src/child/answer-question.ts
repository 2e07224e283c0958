import { type GpuProfile, ShoalError } from '@shoal/core'
import type { EstimateQuery, GpuChoice, MemoryEstimate, Question } from '../messages.ts'
import { batchTokensMax, openLlama } from './llama.ts'
import { toLoadError } from './load-error.ts'
import type { NativeLog } from './native-log.ts'
import { measureResidentBytes } from './resident-memory.ts'

/** Devices that compute on the CPU whatever they call themselves. */
const softwareDevice = /llvmpipe|lavapipe|swiftshader/i

/** Answers what needs the native library but no loaded model. */
export function createQuestionAnswerer(log: NativeLog): (question: Question) => Promise<unknown> {
  const opened = new Map<GpuChoice, ReturnType<typeof openLlama>>()
  const open = (gpu: GpuChoice) => {
    const llama = opened.get(gpu) ?? openLlama(gpu, log)
    opened.set(gpu, llama)
    return llama
  }

  /** node-llama-cpp tells memory for all devices of its backend together: several of them become one profile with their sum. */
  const probeGpus = async (): Promise<GpuProfile[]> => {
    const llama = await open('auto')
    if (llama.gpu === false) return []
    const names = (await llama.getGpuDeviceNames()).filter((name) => !softwareDevice.test(name))
    if (names.length === 0) return []
    const { total, free, unifiedSize } = await llama.getVramState()
    return [
      {
        name: names.join(' + '),
        backend: llama.gpu,
        vramTotalBytes: total > 0 ? total : null,
        vramFreeBytes: total > 0 ? free : null,
        unifiedMemory: unifiedSize > 0,
      },
    ]
  }

  const estimate = async (query: EstimateQuery): Promise<MemoryEstimate> => {
    try {
      const { GgufInsights, readGgufFileInfo } = await import('node-llama-cpp')
      const info = await readGgufFileInfo(query.path, { sourceType: 'filesystem', logWarnings: false })
      const insights = await GgufInsights.from(info, await open(query.gpu))
      if (!insights.isSupportedByLlamaCpp)
        throw new ShoalError({
          code: 'MODEL_FILE_INVALID',
          message: `The engine does not know the architecture "${String(info.metadata.general.architecture)}" of ${query.path}.`,
          remedy: 'Choose a model of another architecture, or a newer Shoal.',
        })
      const model = await insights.estimateModelResourceRequirementsV2({ gpuLayers: query.gpuLayers })
      const context = await insights.estimateContextResourceRequirementsV2({
        contextSize: query.contextTokens,
        sequences: query.slots,
        modelGpuLayers: query.gpuLayers,
        batchSize: batchTokensMax,
      })
      return {
        model: { ramBytes: model.cpuRam, vramBytes: model.gpuVram },
        context: { ramBytes: context.cpuRam, vramBytes: context.gpuVram },
        processRamBytes: await measureResidentBytes(),
      }
    } catch (error) {
      throw toLoadError(error, query.path, log)
    }
  }

  return (question) => {
    switch (question.kind) {
      case 'probe-gpus':
        return probeGpus()
      case 'estimate':
        return estimate(question)
    }
  }
}
