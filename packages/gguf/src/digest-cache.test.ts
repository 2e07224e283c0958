import { createHash } from 'node:crypto'
import { mkdtemp, readFile, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { createDigestCache } from './digest-cache.ts'
import { sha256File } from './sha256-file.ts'

const content = Buffer.alloc(9 * 1024 * 1024, 'shoal')
const digest = createHash('sha256').update(content).digest('hex')
let path = ''
let cachePath = ''

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-digest-'))
  path = join(folder, 'model.gguf')
  cachePath = join(folder, 'cache', 'digests.json')
  await writeFile(path, content)
})

test('the digest covers the whole file and reports progress to 1', async () => {
  const progress: number[] = []
  expect(await sha256File(path, { onProgress: (value) => progress.push(value) })).toBe(digest)
  expect(progress).toEqual([8 / 9, 1])
})

test('hashing stops when the signal aborts', async () => {
  const controller = new AbortController()
  const hashing = sha256File(path, { onProgress: () => controller.abort(), signal: controller.signal })
  await expect(hashing).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('a file that is not there is missing', async () => {
  await expect(sha256File(`${path}.none`)).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' })
})

test('a digest is known to later starts until the file changes', async () => {
  const cache = createDigestCache(cachePath)
  expect(await cache.known(path)).toBeNull()
  expect(await cache.digestOf(path)).toBe(digest)

  const later = createDigestCache(cachePath)
  expect(await later.known(path)).toBe(digest)
  let hashed = false
  expect(await later.digestOf(path, { onProgress: () => (hashed = true) })).toBe(digest)
  expect(hashed).toBe(false)

  await utimes(path, 1, 1)
  expect(await later.known(path)).toBeNull()
})

test('several files hashed at once are all remembered', async () => {
  const cache = createDigestCache(cachePath)
  const paths = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (name) => {
      await writeFile(`${path}.${name}`, name)
      return `${path}.${name}`
    }),
  )
  await Promise.all(paths.map((each) => cache.digestOf(each)))
  for (const each of paths) expect(await createDigestCache(cachePath).known(each)).not.toBeNull()
})

test.each(['', 'no json', '[1]', 'null', '{"model":{"sha256":"x"}}'])(
  'a damaged cache %j counts as empty and is replaced',
  async (damage) => {
    const cache = createDigestCache(cachePath)
    await cache.digestOf(path)
    await writeFile(cachePath, damage)
    expect(await cache.known(path)).toBeNull()
    expect(await cache.digestOf(path)).toBe(digest)
    expect(JSON.parse(await readFile(cachePath, 'utf8'))).toMatchObject({ [path]: { sha256: digest } })
  },
)

test('a digest is returned even where it cannot be remembered', async () => {
  const cache = createDigestCache(join(path, 'below-a-file', 'digests.json'))
  expect(await cache.digestOf(path)).toBe(digest)
})
