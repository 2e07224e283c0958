import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ModelManifest, modelId, ShoalError } from '@shoal/core'
import { createFakeLog, type FakeLog } from '@shoal/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fakeManifest } from '../testing/fake-manifest.ts'
import { type ModelLibraryOptions, openModelLibrary } from './library.ts'

let root: string
let log: FakeLog
let reads: string[]
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'shoal-library-'))
  log = createFakeLog()
  reads = []
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** Headers here are one word: `good`, or the quantisation; anything else is refused as a broken file is. */
async function readManifest(file: string): Promise<ModelManifest> {
  reads.push(path.relative(root, file))
  const content = await readFile(file, 'utf8')
  if (content.startsWith('broken')) throw new ShoalError({ code: 'MODEL_FILE_INVALID', message: `${file}: offsets lie outside the file` })
  return fakeManifest({ fileBytes: content.length })
}

const hashFile = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

const open = (hash = hashFile, more: Partial<ModelLibraryOptions> = {}) =>
  openModelLibrary({
    modelsDirectory: path.join(root, 'models'),
    cacheDirectory: path.join(root, 'cache'),
    log,
    readManifest,
    hashFile: hash,
    ...more,
  })

async function put(relative: string, content = 'good'): Promise<string> {
  const file = path.join(root, 'models', relative)
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, content)
  return file
}

const idsOf = (models: readonly { readonly modelId: string }[]) => models.map((model) => model.modelId)

describe('model library', () => {
  test('names files of the hub by repository and quantisation, loose ones by their stem', async () => {
    await put('unsloth/Qwen3.5-4B-GGUF/Qwen3.5-4B-Q4_K_M.gguf')
    await put('unsloth/Qwen3.5-4B-GGUF/UD-Q4_K_XL/Qwen3.5-4B-UD-Q4_K_XL.gguf')
    await put('bartowski/phi-4-GGUF/phi-4.gguf')
    await put('mine.gguf')
    await put('folder/other.gguf')
    const library = await open()
    expect(idsOf(await library.refresh()).sort()).toEqual([
      'bartowski/phi-4-GGUF:Q4_K_M',
      'mine',
      'other',
      'unsloth/Qwen3.5-4B-GGUF:Q4_K_M',
      'unsloth/Qwen3.5-4B-GGUF:UD-Q4_K_XL',
    ])
  })

  test('a split set counts once, and one with a missing part is told', async () => {
    for (const part of [1, 2, 3]) await put(`o/r/Q8_0/big-Q8_0-0000${part}-of-00003.gguf`)
    await put('o/s/half-Q4_0-00002-of-00002.gguf')
    const library = await open()
    expect(idsOf(await library.refresh())).toEqual(['o/r:Q8_0'])
    expect(library.invalidFiles).toEqual([
      {
        path: path.join(root, 'models/o/s/half-Q4_0-00001-of-00002.gguf'),
        reason: expect.stringContaining('00001-of-00002.gguf is missing'),
      },
    ])
  })

  test('projectors, parts of downloads and hidden folders are no models', async () => {
    await put('o/r/mmproj-F16.gguf')
    await put('o/r/x-Q8_0.gguf.part')
    await put('.cache/y.gguf')
    expect(await (await open()).refresh()).toEqual([])
  })

  test('a broken file is told once and hides no other', async () => {
    await put('bad.gguf', 'broken')
    await put('good.gguf')
    const library = await open()
    await library.refresh()
    expect(idsOf(await library.refresh())).toEqual(['good'])
    expect(library.invalidFiles).toEqual([{ path: path.join(root, 'models/bad.gguf'), reason: 'offsets lie outside the file' }])
    expect(log.entries.filter((entry) => entry.level === 'warn')).toHaveLength(1)
  })

  test('a broken file is told by the log or by the caller, as the caller wishes', async () => {
    await put('bad.gguf', 'broken')
    const library = await open(hashFile, { invalidFileLevel: 'debug' })
    await library.refresh()
    expect(library.invalidFiles).toHaveLength(1)
    expect(log.entries.map((entry) => entry.level)).toEqual(['debug'])
  })

  test('an unchanged header is not read again, by a later run either; a changed one is', async () => {
    const file = await put('a.gguf')
    await (await open()).refresh()
    await (await open()).refresh()
    expect(reads).toEqual(['models/a.gguf'])
    await utimes(file, new Date(), new Date(Date.now() + 5000))
    await (await open()).refresh()
    expect(reads).toHaveLength(2)
  })

  test('links are followed, and one that leads back does no harm', async () => {
    const elsewhere = path.join(root, 'elsewhere')
    await mkdir(elsewhere)
    await writeFile(path.join(elsewhere, 'linked.gguf'), 'good')
    await mkdir(path.join(root, 'models'))
    await symlink(path.join(elsewhere, 'linked.gguf'), path.join(root, 'models/by-link.gguf'))
    await symlink(path.join(root, 'models'), path.join(root, 'models/loop'))
    expect(idsOf(await (await open()).refresh())).toEqual(['by-link'])
  })

  test('two files of one name keep apart', async () => {
    await put('o/r/x-MXFP4.gguf')
    await put('o/r/x-mxfp4.gguf')
    expect(idsOf(await (await open()).refresh())).toEqual(['o/r:MXFP4', 'o/r/x-mxfp4'])
  })

  test('a missing models folder is an empty one', async () => {
    expect(await (await open()).refresh()).toEqual([])
    expect(log.entries).toEqual([])
  })

  test('a file that came after the last look is found by its name', async () => {
    const library = await open()
    await library.refresh()
    await put('late.gguf')
    expect((await library.find(modelId('late')))?.path).toBe(path.join(root, 'models/late.gguf'))
    expect(await library.find(modelId('never'))).toBeNull()
  })

  test('a file anywhere can be opened, and is then known by its stem', async () => {
    const file = path.join(root, 'far.gguf')
    await writeFile(file, 'good')
    const library = await open()
    expect((await library.open(file)).modelId).toBe('far')
    expect((await library.find(modelId('far')))?.path).toBe(file)
    await expect(library.open(path.join(root, 'none.gguf'))).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' })
  })

  test('a digest is computed once per content and survives a restart', async () => {
    const file = await put('a.gguf')
    const expected = createHash('sha256').update('good').digest('hex')
    const library = await open()
    await library.refresh()
    expect(library.models[0]?.sha256).toBeNull()
    expect(await library.digest(file, new AbortController().signal)).toBe(expected)
    expect(library.models[0]?.sha256).toBe(expected)
    expect((await (await open()).refresh())[0]?.sha256).toBe(expected)
  })

  test('a file that changes while it is hashed is not remembered under the old digest', async () => {
    const file = await put('a.gguf')
    const library = await open(async (each) => {
      const digest = await hashFile(each)
      await put('a.gguf', 'good and longer')
      return digest
    })
    await library.digest(file, new AbortController().signal)
    expect((await library.refresh())[0]?.sha256).toBeNull()
  })

  test('the digest of a split set covers every part', async () => {
    const first = await put('s-00001-of-00002.gguf', 'good one')
    await put('s-00002-of-00002.gguf', 'good two')
    const library = await open()
    await library.refresh()
    const before = await library.digest(first, new AbortController().signal)
    await put('s-00002-of-00002.gguf', 'good three')
    expect(await library.digest(first, new AbortController().signal)).not.toBe(before)
  })

  test('a folder that cannot be read is passed over with a warning', async () => {
    await writeFile(path.join(root, 'models'), 'not a folder')
    expect(await (await open()).refresh()).toEqual([])
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { folder: path.join(root, 'models') } }])
  })
})
