import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { createManualClock } from '@shoal/core/testing'
import { systemClock } from '@shoal/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { takeStateLock } from './state-lock.ts'

let folder: string
let lock: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shoal-state-'))
  lock = path.join(folder, 'agent.lock')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const take = () => takeStateLock(folder, systemClock)

/** Another process that has taken the lock with the same code. */
async function startHolder() {
  const source = `
    const { takeStateLock } = await import(${JSON.stringify(new URL('./state-lock.ts', import.meta.url).href)})
    await takeStateLock(${JSON.stringify(folder)}, { wallMs: Date.now, monotonicMs: () => 0, after: () => () => {} })
    process.stdout.write('taken')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--conditions=development', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  })
  await once(child.stdout, 'data')
  return child
}

describe('the lock of a state folder', () => {
  test('keeps out a second agent of the same process and goes with the first', async () => {
    const first = await take()
    await expect(take()).rejects.toMatchObject({
      code: 'STATE_INVALID',
      message: expect.stringContaining(`in use by process ${process.pid}.`),
      remedy: expect.stringContaining('--name OTHER'),
    })
    await first[Symbol.asyncDispose]()
    await using _ = await take()
    expect(await readdir(folder)).toEqual(['agent.lock'])
  })

  test('keeps out an agent of another process while that runs, and not a moment after it was killed', async () => {
    const other = await startHolder()
    await expect(take()).rejects.toMatchObject({ message: expect.stringContaining(`process ${other.pid}`) })
    const ended = once(other, 'exit')
    other.kill('SIGKILL')
    await ended
    await using _ = await take()
    expect(await readFile(lock, 'utf8')).toMatch(new RegExp(`^${process.pid} `))
  })

  test.runIf(process.platform === 'linux')('of a process whose number now belongs to another counts for nothing', async () => {
    await writeFile(lock, `${process.ppid} 1 ${hostname()}\n`)
    await using _ = await take()
  })

  test.each([
    ['an earlier process of this number', `${process.pid} - ${hostname()}\n`],
    ['a power cut', ''],
    ['something else', 'hello\n'],
  ])('that %s left counts for nothing', async (_, content) => {
    await writeFile(lock, content)
    await using _lock = await take()
  })

  test('of another host counts while it is fresh', async () => {
    await writeFile(lock, '1 1 elsewhere\n')
    await expect(take()).rejects.toMatchObject({ message: expect.stringContaining('process 1 on elsewhere') })
    const old = new Date(Date.now() - 31_000)
    await utimes(lock, old, old)
    await using _ = await take()
  })

  test('is taken by one of two that start over a dead one at once', async () => {
    await writeFile(lock, `${process.pid} - ${hostname()}\n`)
    const starts = await Promise.allSettled([take(), take()])
    const taken = starts.filter((start) => start.status === 'fulfilled')
    expect(taken).toHaveLength(1)
    await Promise.all(taken.map(({ value }) => value[Symbol.asyncDispose]()))
    expect(await readdir(folder)).toEqual([])
  })

  test('stays fresh for those who see it from another host', async () => {
    const clock = createManualClock()
    await using _ = await takeStateLock(folder, clock)
    const old = new Date(0)
    await utimes(lock, old, old)
    clock.advance(5_000)
    await expect.poll(async () => (await stat(lock)).mtimeMs).toBe(clock.wallMs())
  })
})
