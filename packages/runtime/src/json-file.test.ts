import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createFakeLog } from '@shoal/core/testing'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readJsonFile, writeJsonFile } from './json-file.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shoal-json-'))
})
afterEach(() => rm(folder, { recursive: true }))

const asIs = (value: unknown) => value

test('any JSON value comes back as it was written', async () => {
  const file = path.join(folder, 'value.json')
  const values = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)))
  await fc.assert(
    fc.asyncProperty(values, async (value) => {
      await writeJsonFile(file, value)
      expect(await readJsonFile(file, asIs, createFakeLog())).toEqual(value)
    }),
    { numRuns: 30 },
  )
  expect(await readdir(folder)).toEqual(['value.json'])
})

test('missing folders are made, and only the owner can read the file', async () => {
  const file = path.join(folder, 'a', 'b', 'state.json')
  await writeJsonFile(file, { one: 1 })
  const { mode } = await stat(file)
  if (process.platform !== 'win32') expect(mode & 0o777).toBe(0o600)
})

test('a missing file is null and no event', async () => {
  const log = createFakeLog()
  expect(await readJsonFile(path.join(folder, 'none.json'), asIs, log)).toBeNull()
  expect(log.entries).toEqual([])
})

test.each([
  ['cut in the middle', '{"one": 1', asIs],
  ['empty', '', asIs],
  [
    'refused by its parser',
    '{"one": "1"}',
    () => {
      throw new Error('one: expected a number')
    },
  ],
])('a file that is %s is moved aside with its content, warned of, and null', async (_name, text, parse) => {
  const file = path.join(folder, 'state.json')
  await writeFile(file, text)
  const log = createFakeLog()
  expect(await readJsonFile(file, parse, log)).toBeNull()
  const names = await readdir(folder)
  expect(names).toHaveLength(1)
  expect(names[0]).toMatch(/^state\.json\.corrupt-/)
  expect(await readFile(path.join(folder, names[0] ?? ''), 'utf8')).toBe(text)
  expect(log.entries).toMatchObject([{ level: 'warn', fields: { file } }])
})

test('what the system refuses is an error that names the path, and leaves nothing behind', async () => {
  const file = path.join(folder, 'state.json')
  await writeFile(path.join(folder, 'plain'), '')
  await expect(writeJsonFile(path.join(folder, 'plain', 'state.json'), 1)).rejects.toMatchObject({
    code: 'STATE_INVALID',
    message: expect.stringContaining(path.join(folder, 'plain', 'state.json')),
  })
  await expect(readJsonFile(folder, asIs, createFakeLog())).rejects.toMatchObject({ code: 'STATE_INVALID' })
  await writeJsonFile(file, 1)
  await expect(writeJsonFile(file, 1n)).rejects.toMatchObject({ code: 'STATE_INVALID' })
  expect(await readJsonFile(file, asIs, createFakeLog())).toBe(1)
  expect((await readdir(folder)).sort()).toEqual(['plain', 'state.json'])
})

test('overlapping writes never leave a mixture', async () => {
  const file = path.join(folder, 'state.json')
  const values = Array.from({ length: 8 }, (_, index) => ({ index, filler: 'x'.repeat(10_000 * index) }))
  await Promise.all(values.map((value) => writeJsonFile(file, value)))
  expect(values).toContainEqual(await readJsonFile(file, asIs, createFakeLog()))
  expect(await readdir(folder)).toEqual(['state.json'])
})
