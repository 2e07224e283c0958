import { execFile } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { shoalDirectories } from './directories.ts'

const run = promisify(execFile)
const modulePath = fileURLToPath(new URL('./directories.ts', import.meta.url))

/** env-paths reads the environment of its process, so the platform's convention is asked for in a process of its own. */
async function inProcess(env: Record<string, string>): Promise<unknown> {
  const code = `const { shoalDirectories } = await import(${JSON.stringify(modulePath)})
    console.log(JSON.stringify(await shoalDirectories({ env: process.env }).catch((error) => ({ code: error.code, remedy: error.remedy }))))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { env })
  return JSON.parse(stdout)
}

test.each([
  [{ SHOAL_HOME: '/srv/shoal' }, { state: '/srv/shoal', models: '/srv/shoal/models', cache: '/srv/shoal/cache' }],
  [
    { SHOAL_HOME: '/srv/shoal', STATE_DIRECTORY: '/var/lib/shoal', CACHE_DIRECTORY: '/var/cache/shoal' },
    { state: '/srv/shoal', models: '/srv/shoal/models', cache: '/srv/shoal/cache' },
  ],
  [
    { STATE_DIRECTORY: '/var/lib/shoal:/var/lib/other', CACHE_DIRECTORY: '/var/cache/shoal' },
    { state: '/var/lib/shoal', models: '/var/lib/shoal/models', cache: '/var/cache/shoal' },
  ],
  [{ STATE_DIRECTORY: '/var/lib/shoal' }, { state: '/var/lib/shoal', models: '/var/lib/shoal/models', cache: '/var/lib/shoal/cache' }],
])('%j decides the folders', async (env, expected) => {
  expect(await shoalDirectories({ env })).toEqual(expected)
})

test('a relative SHOAL_HOME is made absolute', async () => {
  const { state } = await shoalDirectories({ env: { SHOAL_HOME: 'here' } })
  expect(state).toBe(path.resolve('here'))
})

test.runIf(process.platform === 'linux')('without any variable the XDG folders are used', async () => {
  expect(await inProcess({ HOME: '/home/ada' })).toEqual({
    state: '/home/ada/.local/share/shoal',
    models: '/home/ada/.local/share/shoal/models',
    cache: '/home/ada/.cache/shoal',
  })
  expect(await inProcess({ HOME: '/home/ada', XDG_DATA_HOME: '/data', SHOAL_HOME: '', CACHE_DIRECTORY: '/var/cache/shoal' })).toEqual({
    state: '/data/shoal',
    models: '/data/shoal/models',
    cache: '/var/cache/shoal',
  })
})

test.runIf(process.platform === 'linux')('a user without a home folder is told to set SHOAL_HOME', async () => {
  expect(await inProcess({ HOME: '' })).toMatchObject({ code: 'USAGE', remedy: expect.stringContaining('SHOAL_HOME') })
  expect(await inProcess({ HOME: '', SHOAL_HOME: '/srv/shoal' })).toMatchObject({ state: '/srv/shoal' })
})
