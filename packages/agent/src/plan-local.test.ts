import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createFakeLog } from '@shoal/core/testing'
import { createFakeNodeProfile } from '@shoal/hardware/testing'
import { systemClock } from '@shoal/runtime'
import { expect, test } from 'vitest'
import { planLocal } from './plan-local.ts'

test('a plan tells of broken files in its result, by a reason without the path, and leaves the log to others', async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'shoal-plan-'))
  try {
    const directories = { state: path.join(home, 'state'), models: path.join(home, 'models'), cache: path.join(home, 'cache') }
    await mkdir(directories.models)
    const file = path.join(directories.models, 'broken.gguf')
    await writeFile(file, 'not a model')
    const log = createFakeLog()
    const query = { contextTokens: null, slots: null, tokensPerSecondMin: null, withCatalog: false }
    const { invalidFiles } = await planLocal(
      { ...query, directories, log, clock: systemClock },
      { freshProfile: async () => createFakeNodeProfile() },
    )
    expect(invalidFiles).toEqual([{ path: file, reason: expect.not.stringContaining(home) }])
    expect(log.entries.filter(({ level }) => level === 'warn')).toEqual([])
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
