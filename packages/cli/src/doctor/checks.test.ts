import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { checkClock, checkDisk, checkNodeVersion, checkPorts } from './checks.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

it.each([
  ['20.20.2', 'bad'],
  ['22.21.9', 'bad'],
  ['22.22.0', 'good'],
  ['24.0.0', 'good'],
])('finds Node %s %s', (version, outcome) => {
  expect(checkNodeVersion(version).outcome).toBe(outcome)
})

it('finds a clock that starts in 1970, and says how to set it', () => {
  expect(checkClock(0)).toMatchObject({ outcome: 'bad', remedy: expect.stringContaining('timedatectl') })
  expect(checkClock(Date.UTC(2027, 0, 1)).outcome).toBe('good')
})

it('tells a free port from one in use', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  expect(await checkPorts([port])).toMatchObject([{ outcome: 'note', remedy: expect.stringContaining('--port') }])
  await new Promise((resolve) => server.close(resolve))
  expect(await checkPorts([port])).toMatchObject([{ outcome: 'good', remedy: null }])
})

it('finds a models folder that cannot be written to', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-doctor-'))
  folders.push(folder)
  const file = join(folder, 'a-file')
  await writeFile(file, '')
  await chmod(file, 0o400)
  const check = await checkDisk(join(file, 'models'))
  expect(check).toMatchObject({ outcome: 'bad', remedy: expect.stringContaining('--models-dir') })
})
