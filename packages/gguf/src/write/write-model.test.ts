import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Llama, readGgufFileInfo } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tensorByteRanges } from '../byte-ranges.ts'
import { readModelHeaders } from '../read-model.ts'
import { sha256File } from '../sha256-file.ts'
import { decode, loadForTest, startLlama, turn } from '../testing/engine-for-tests.ts'
import { quickest } from '../testing/quickest.ts'
import { smallModel, smallModelSpec } from '../testing/small-model.ts'
import type { ModelSpec } from './model-spec.ts'
import type { WeightType } from './random-rows.ts'
import { writeModel } from './write-model.ts'

let folder = ''
let llama: Llama
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-writer-'))
  llama = await startLlama()
})
afterAll(async () => {
  await llama.dispose()
})

const architectures: readonly ModelSpec['architecture'][] = ['llama', 'qwen3moe', 'qwen35']
const weightTypes: readonly WeightType[] = ['F16', 'Q8_0', 'Q4_0']

describe.each(architectures)('%s', (architecture) => {
  test.each(weightTypes)('in %s is written within 2 s, loads, and decodes 256 varied tokens of whole characters', async (weightType) => {
    const path = join(folder, `${architecture}-${weightType}.gguf`)
    const { tookMs } = await quickest(2000, () => writeModel(smallModelSpec({ architecture, weightType }), path))
    expect(tookMs).toBeLessThan(2000)

    const { model, sequences } = await loadForTest(llama, path)
    const [sequence] = sequences
    if (sequence === undefined) throw new RangeError('no sequence')
    const tokens = await decode(sequence, turn('Hello'), { tokensMax: 256 })
    expect(tokens).toHaveLength(256)
    expect(new Set(tokens).size).toBeGreaterThanOrEqual(64)
    expect(model.detokenize(tokens)).not.toContain('\uFFFD')
    const other = await decode(sequence, turn('Something else'), { tokensMax: 16 })
    expect(other).not.toEqual(tokens.slice(0, 16))
    await model.dispose()
  })

  test('another reader finds the same keys and tensors in the file', async () => {
    const path = await smallModel({ architecture })
    const [header] = await readModelHeaders(path)
    if (header === undefined) throw new RangeError('no header')
    const info = await readGgufFileInfo(path, { logWarnings: false })
    expect(info.architectureMetadata.block_count).toBe(4)
    const theirs = (info.fullTensorInfo ?? []).map((tensor) => ({
      name: tensor.name,
      dims: tensor.dimensions.map(Number),
      type: tensor.ggmlType as number,
      offset: Number(tensor.fileOffset),
    }))
    const places = new Map(tensorByteRanges(header).map((range) => [range.name, range.offset]))
    expect(header.tensors.map(({ name, dims, type }) => ({ name, dims, type: type.id, offset: places.get(name) }))).toEqual(theirs)
  })
})

test('the same spec gives the same bytes, another seed others', async () => {
  const spec = smallModelSpec({ architecture: 'qwen3moe' })
  const [first, second, third] = [join(folder, 'a.gguf'), join(folder, 'b.gguf'), join(folder, 'c.gguf')]
  await writeModel(spec, first)
  await writeModel(spec, second)
  await writeModel({ ...spec, seed: 2 }, third)
  expect(await sha256File(second)).toBe(await sha256File(first))
  expect(await sha256File(third)).not.toBe(await sha256File(first))
})

test('any text comes back from its tokens', async () => {
  const { model } = await loadForTest(llama, await smallModel({ architecture: 'llama' }))
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (value) => {
      expect(model.detokenize(model.tokenize(value))).toBe(value)
    }),
    { numRuns: 300 },
  )
  await model.dispose()
})

test('a write that fails leaves nothing behind and says why', async () => {
  const spec = smallModelSpec({ architecture: 'llama' })
  await expect(writeModel(spec, join(folder, 'no-such-folder', 'x.gguf'))).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('no-such-folder'),
  })
  const before = await readdir(folder)
  await expect(writeModel({ ...spec, embeddingLength: 100 }, join(folder, 'odd.gguf'))).rejects.toThrow(RangeError)
  expect(await readdir(folder)).toEqual(before)
})

test('a cached small model is written once', async () => {
  const path = await smallModel({ architecture: 'llama', weightType: 'Q4_0', seed: 3 })
  expect(await smallModel({ architecture: 'llama', weightType: 'Q4_0', seed: 3 })).toBe(path)
  expect(await smallModel({ architecture: 'llama', weightType: 'Q4_0', seed: 4 })).not.toBe(path)
})
