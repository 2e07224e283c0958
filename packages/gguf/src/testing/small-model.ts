import { createHash } from 'node:crypto'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { ModelSpec } from '../write/model-spec.ts'
import type { WeightType } from '../write/random-rows.ts'
import { writeModel } from '../write/write-model.ts'

export interface SmallModelOptions {
  readonly architecture: ModelSpec['architecture']
  /** Q8_0 unless given. */
  readonly weightType?: WeightType
  readonly seed?: number
}

/** Dimensions of a model of 2 to 16 MB that decodes about a thousand tokens a second on one core. */
export function smallModelSpec({ architecture, weightType = 'Q8_0', seed = 1 }: SmallModelOptions): ModelSpec {
  const common = {
    name: `small ${architecture}`,
    seed,
    weightType,
    contextTokens: 4096,
    layerCount: 4,
    embeddingLength: 256,
    headCount: 8,
    headCountKv: 2,
    headLength: 32,
    vocabularySize: 2048,
  }
  switch (architecture) {
    case 'llama':
      return { ...common, architecture, feedForwardLength: 512 }
    case 'qwen3moe':
      return { ...common, architecture, expert: { count: 16, usedCount: 4, feedForwardLength: 128 } }
    case 'qwen35':
      return {
        ...common,
        architecture,
        feedForwardLength: 512,
        fullAttentionInterval: 4,
        deltaNet: { convolutionKernel: 4, stateLength: 32, groupCount: 4, valueHeadCount: 8 },
      }
  }
}

/**
 * Path of a small generated model in the temporary folder, written once for all tests of this user; do not change the file.
 * It is written again whenever the writer's sources have changed.
 */
export async function smallModel(options: SmallModelOptions): Promise<string> {
  const spec = smallModelSpec(options)
  const key = createHash('sha256')
    .update(JSON.stringify(spec) + String(await writerChangedMs()))
    .digest('hex')
  const folder = join(tmpdir(), `shoal-test-models-${userInfo().uid}`)
  const path = join(folder, `${spec.architecture}-${spec.weightType}-${key.slice(0, 16)}.gguf`)
  const exists = await stat(path).then(
    () => true,
    () => false,
  )
  if (!exists) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeModel(spec, path)
  }
  return path
}

async function writerChangedMs(): Promise<number> {
  const folder = new URL('../write/', import.meta.url)
  const names = await readdir(folder)
  const times = await Promise.all(names.map(async (name) => (await stat(new URL(name, folder))).mtimeMs))
  return Math.max(...times)
}
