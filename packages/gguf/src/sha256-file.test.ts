import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256File } from './sha256-file.ts'

const mebibyte = 1024 * 1024
const content = Buffer.alloc(2.5 * mebibyte, 'some weights ')
let folder = ''
let file = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-sha256-'))
  file = join(folder, 'model.gguf')
  await writeFile(file, content)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('the digest is that of the whole file, worked out in turns of at most 1 MiB', async () => {
  const steps: number[] = []
  const digest = await sha256File(file, { onProgress: (progress) => steps.push(progress) })
  expect(digest).toBe(createHash('sha256').update(content).digest('hex'))
  expect(steps).toEqual([0.4, 0.8, 1])
})

test('it ends at the next turn after it was cancelled', async () => {
  const abort = new AbortController()
  const steps: number[] = []
  const onProgress = (progress: number) => {
    steps.push(progress)
    abort.abort()
  }
  await expect(sha256File(file, { onProgress, signal: abort.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(steps).toEqual([0.4])
})
