import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type LoadedModel, type LoadOptions, modelId } from '@shoal/core'
import { createFakeLog, type FakeLog } from '@shoal/core/testing'
import { createLlamaEngine } from '@shoal/engine'
import { type ModelSpec, writeModel } from '@shoal/gguf'
import { systemClock } from '@shoal/runtime'

export type Architecture = ModelSpec['architecture']
export const architectures: readonly Architecture[] = ['llama', 'qwen35', 'qwen3moe']

const common = {
  name: 'tiny',
  seed: 7,
  // Half precision: 8-bit activations would turn the rounding noise of other batch sizes into other tokens.
  weightType: 'F16',
  contextTokens: 8192,
  layerCount: 4,
  embeddingLength: 64,
  headCount: 4,
  headCountKv: 2,
  headLength: 32,
  vocabularySize: 2048,
} as const

const specs: Readonly<Record<Architecture, ModelSpec>> = {
  llama: { ...common, architecture: 'llama', feedForwardLength: 128 },
  qwen35: {
    ...{ ...common, architecture: 'qwen35', feedForwardLength: 128, fullAttentionInterval: 4 },
    deltaNet: { convolutionKernel: 4, stateLength: 32, groupCount: 2, valueHeadCount: 4 },
  },
  qwen3moe: { ...common, architecture: 'qwen3moe', expert: { count: 8, usedCount: 2, feedForwardLength: 64 } },
}

export interface TestModels extends AsyncDisposable {
  /** A tiny model of this architecture, written when first asked for. */
  path(architecture: Architecture, over?: Partial<ModelSpec>): Promise<string>
  readonly directory: string
}

/** Model files in a directory of their own. */
export async function startTestModels(): Promise<TestModels> {
  const directory = await mkdtemp(path.join(tmpdir(), 'shoal-models-'))
  const written = new Map<string, Promise<string>>()
  const write = async (file: string, spec: ModelSpec) => {
    await writeModel(spec, file)
    return file
  }
  return {
    directory,
    path(architecture, over = {}) {
      const spec = { ...specs[architecture], ...over } as ModelSpec
      const key = JSON.stringify(spec)
      const file = written.get(key) ?? write(path.join(directory, `${architecture}-${written.size}.gguf`), spec)
      written.set(key, file)
      return file
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

export interface LoadedForTest extends AsyncDisposable {
  readonly model: LoadedModel
  readonly log: FakeLog
  /** Process id of the child now behind the model. */
  pid(): number
}

/** A model in a real engine child: CPU, one thread. */
export async function loadForTest(path: string, over: Partial<LoadOptions> = {}): Promise<LoadedForTest> {
  const log = createFakeLog()
  const options = { contextTokens: 512, slots: 2, threads: 1, gpuLayers: 0, ...over }
  const engine = createLlamaEngine({ log, clock: systemClock, gpu: false })
  const model = await engine.loadModel({ modelId: modelId('tiny'), path, options }, () => {}, new AbortController().signal)
  return {
    model,
    log,
    pid() {
      const pid = 'pid' in model ? model.pid : null
      if (typeof pid !== 'number') throw new Error('the model has no process')
      return pid
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  }
}

/** Resolves when the condition holds, asked again after each change and often; rejects after `timeoutMs`. */
export async function until(condition: () => boolean, timeoutMs: number): Promise<number> {
  const started = performance.now()
  while (!condition()) {
    if (performance.now() - started > timeoutMs) throw new Error(`not so within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return performance.now() - started
}
