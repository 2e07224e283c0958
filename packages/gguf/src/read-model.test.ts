import { mkdtemp, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readModelManifest } from './read-model.ts'
import { requireTensorType } from './tensor-types.ts'
import { smallModelSpec } from './testing/small-model.ts'
import { encodeHeader, type MetadataInput, text, u32 } from './write/header-encoder.ts'
import { writeModel } from './write/write-model.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-gguf-'))
})

const whole = { 'general.architecture': text('llama'), 'llama.block_count': u32(1), 'llama.embedding_length': u32(32) }

async function writePart(name: string, keys: Readonly<Record<string, MetadataInput>>, tensor: string): Promise<string> {
  const { bytes } = encodeHeader(keys, [{ name: tensor, type: requireTensorType('F32'), dims: [32, 2] }])
  const path = join(folder, name)
  await writeFile(path, Buffer.concat([bytes, Buffer.alloc(256)]))
  return path
}

test('a written model is read back', async () => {
  const path = join(folder, 'small.gguf')
  await writeModel(smallModelSpec({ architecture: 'qwen3moe' }), path)
  expect(await readModelManifest(path)).toMatchObject({ architecture: 'qwen3moe', quantization: 'Q8_0', expert: { count: 16 } })
})

test('a truncated model names the tensor that is cut', async () => {
  const path = join(folder, 'cut.gguf')
  await writeModel(smallModelSpec({ architecture: 'llama' }), path)
  await truncate(path, 1_000_000)
  await expect(readModelManifest(path)).rejects.toMatchObject({
    code: 'MODEL_FILE_INVALID',
    message: expect.stringMatching(/cut\.gguf: file ends at byte 1000000, tensor \S+ needs \d+$/),
    remedy: expect.stringContaining('Fetch the file again'),
  })
})

test('the parts of a split model are one model', async () => {
  const parts = { 'split.count': u32(2) }
  const path = await writePart('set-00001-of-00002.gguf', { ...whole, ...parts, 'split.no': u32(0) }, 'token_embd.weight')
  const second = await writePart('set-00002-of-00002.gguf', { ...parts, 'split.no': u32(1) }, 'output.weight')
  const manifest = await readModelManifest(path)
  expect(manifest.tensorGroupBytes).toMatchObject({ embedding: 256, output: 256 })
  expect(manifest.parameterCount).toBe(128)
  await expect(readModelManifest(second)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID', remedy: expect.stringContaining(path) })
})

test('a missing part is named', async () => {
  const path = await writePart('lone-00001-of-00003.gguf', whole, 'token_embd.weight')
  await expect(readModelManifest(path)).rejects.toMatchObject({
    code: 'MODEL_FILE_MISSING',
    message: expect.stringContaining('lone-00002-of-00003.gguf'),
  })
})

test('a part under another name, or a tensor in two parts, is refused', async () => {
  const renamed = await writePart('renamed.gguf', { ...whole, 'split.count': u32(3), 'split.no': u32(0) }, 'token_embd.weight')
  await expect(readModelManifest(renamed)).rejects.toThrow(/one of 3 parts, its file name says 1/)
  const twice = await writePart('twice-00001-of-00002.gguf', whole, 'token_embd.weight')
  await writePart('twice-00002-of-00002.gguf', {}, 'token_embd.weight')
  await expect(readModelManifest(twice)).rejects.toThrow(/token_embd\.weight is already in an earlier part/)
})

test('a path without a file, and a folder, are told apart', async () => {
  await expect(readModelManifest(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' })
  await expect(readModelManifest(folder)).rejects.toMatchObject({
    code: 'MODEL_FILE_INVALID',
    message: expect.stringContaining('not a regular file'),
  })
})
