import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readDisk } from './disk.ts'

test('a folder that does not exist yet is on the disk of its nearest parent, under its own name', async () => {
  const folder = path.join(tmpdir(), 'shoal-none', 'deeper', 'models')
  const disk = await readDisk(folder)
  const { blocks, bsize } = statfsSync(tmpdir())
  expect(disk?.path).toBe(folder)
  expect(disk?.totalBytes).toBe(blocks * bsize)
  expect(disk?.freeBytes).toBeGreaterThan(0)
  expect(disk?.freeBytes).toBeLessThanOrEqual(blocks * bsize)
})

test('a relative folder is made absolute', async () => {
  expect((await readDisk('models'))?.path).toBe(path.resolve('models'))
})
