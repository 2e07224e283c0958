import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import type { Clock } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { systemClock } from '@shoal/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeHub, fakeCommit, startFakeHub } from '../testing/fake-hub.ts'
import type { DownloadProgress, HubSource } from './download-model.ts'
import { hubAddressFrom, probeHub } from './hub.ts'
import { createModelFetcher } from './model-fetcher.ts'

const repo = 'owner/tiny-GGUF'
const parts = [1, 2, 3].map((part) => ({ repo, path: `Q8_0/tiny-Q8_0-0000${part}-of-00003.gguf`, content: randomBytes(50_000 + part) }))
const single = { repo, path: 'tiny-Q4_K_M.gguf', content: randomBytes(100_000) }
const projector = { repo, path: 'mmproj-F16.gguf', content: randomBytes(10) }
const files = [...parts, single, projector]
const source = (file: string, known: Partial<HubSource> = {}): HubSource => ({
  kind: 'hub',
  repo,
  file,
  revision: null,
  bytes: null,
  sha256: null,
  ...known,
})
const sha256Of = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')
const never = new AbortController().signal

let models: string
beforeEach(async () => {
  models = await mkdtemp(path.join(tmpdir(), 'shoal-fetch-'))
})
afterEach(() => rm(models, { recursive: true, force: true }))

const fetcherOf = (hub: FakeHub, clock: Clock = systemClock) =>
  createModelFetcher({
    hub: {
      address: { endpoint: hub.endpoint, token: null },
      fetch: globalThis.fetch,
      clock,
      log: createFakeLog(),
      limits: { firstBackoffMs: 1, backoffMsMax: 2, attempts: 2 },
    },
    modelsDirectory: models,
    onFetched: async () => undefined,
  })

describe('fetching a model', () => {
  test('a file by its name lands under owner and repository', async () => {
    await using hub = await startFakeHub({ files })
    const seen: DownloadProgress[] = []
    const fetched = await fetcherOf(hub).fetch(source(single.path), (progress) => seen.push(progress), never)
    expect(fetched).toEqual({ path: path.join(models, repo, single.path), partDigests: [sha256Of(single.content)] })
    expect(await readFile(fetched.path)).toEqual(single.content)
    expect(seen.at(-1)).toMatchObject({ bytes: 100_000, totalBytes: 100_000 })
  })

  test('a quantisation in any case finds its file, and none the usual one', async () => {
    await using hub = await startFakeHub({ files })
    expect((await fetcherOf(hub).fetch(source('q4_k_m'), () => undefined, never)).path).toContain(single.path)
    expect((await fetcherOf(hub).fetch(source(''), () => undefined, never)).path).toContain(single.path)
  })

  test('a split set comes with all its parts, and the first is its path', async () => {
    await using hub = await startFakeHub({ files })
    const seen: DownloadProgress[] = []
    const fetched = await fetcherOf(hub).fetch(source('Q8_0'), (progress) => seen.push(progress), never)
    expect(path.relative(models, fetched.path)).toBe(path.join(repo, parts[0]?.path ?? ''))
    expect(fetched.partDigests).toEqual(parts.map((part) => sha256Of(part.content)))
    for (const part of parts) expect(await readFile(path.join(models, repo, part.path))).toEqual(part.content)
    expect(seen.at(-1)).toMatchObject({ bytes: 150_006, totalBytes: 150_006 })
  })

  test('what is there already is not fetched again', async () => {
    await using hub = await startFakeHub({ files })
    await fetcherOf(hub).fetch(source('Q8_0'), () => undefined, never)
    const before = hub.requests.length
    const again = await fetcherOf(hub).fetch(source('Q8_0'), () => undefined, never)
    expect(again.partDigests).toBeNull()
    expect(hub.requests.slice(before).filter((request) => request.url.includes('/resolve/'))).toEqual([])
  })

  test('a file known with commit, size and digest needs no listing', async () => {
    await using hub = await startFakeHub({ files })
    const known = { revision: fakeCommit, bytes: single.content.byteLength, sha256: sha256Of(single.content) }
    await fetcherOf(hub).fetch(source(single.path, known), () => undefined, never)
    expect(hub.requests.map((request) => request.url)).toEqual([`/${repo}/resolve/${fakeCommit}/${single.path}`])
  })

  test('a digest known before wins over what the hub lists', async () => {
    await using hub = await startFakeHub({ files })
    const wrong = fetcherOf(hub).fetch(source(single.path, { sha256: 'a'.repeat(64) }), () => undefined, never)
    await expect(wrong).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })

  test('a file the hub lists with another digest than it sends is removed', async () => {
    await using hub = await startFakeHub({ files: [{ ...single, sha256: 'b'.repeat(64) }] })
    await expect(fetcherOf(hub).fetch(source(single.path), () => undefined, never)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    await expect(stat(path.join(models, repo, single.path))).rejects.toThrow()
  })

  test('an unknown quantisation lists those there are', async () => {
    await using hub = await startFakeHub({ files })
    const attempt = fetcherOf(hub).fetch(source('Q2_K'), () => undefined, never)
    await expect(attempt).rejects.toMatchObject({ code: 'MODEL_UNKNOWN', message: `${repo} has no GGUF Q2_K; it has: Q8_0, Q4_K_M.` })
  })

  test('an unknown repository, and a gated one, are told apart', async () => {
    await using hub = await startFakeHub({ files, gated: { [repo]: 'secret' } })
    await expect(fetcherOf(hub).fetch({ ...source(''), repo: 'no/body' }, () => undefined, never)).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    })
    await expect(fetcherOf(hub).fetch(source(''), () => undefined, never)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      remedy: expect.stringContaining('HF_TOKEN'),
    })
  })

  test.each(['../../etc', 'owner/..', 'owner', 'a/b/c'])('a repository named %s leaves nothing outside the folder', async (bad) => {
    await using hub = await startFakeHub({ files: [{ ...single, repo: bad }] })
    const known = { revision: fakeCommit, bytes: 1, sha256: 'a'.repeat(64) }
    await expect(fetcherOf(hub).fetch({ ...source('x.gguf', known), repo: bad }, () => undefined, never)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
  })

  test('two who want the same file share one transfer', async () => {
    const gate = Promise.withResolvers<void>()
    await using hub = await startFakeHub({ files, beforeFile: () => gate.promise })
    const fetcher = fetcherOf(hub)
    const abort = new AbortController()
    const first = fetcher.fetch(source(single.path), () => undefined, abort.signal)
    const second = fetcher.fetch(source(single.path), () => undefined, never)
    const gone = expect(first).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect.poll(() => hub.requests.filter((request) => request.url.includes('/resolve/')).length).toBe(1)
    abort.abort()
    await gone
    gate.resolve()
    expect((await second).path).toContain(single.path)
    expect(hub.requests.filter((request) => request.url.includes('/resolve/'))).toHaveLength(1)
  })

  test('a transfer nobody waits for ends, and one asked for right after starts anew', async () => {
    let held = true
    const hold = Promise.withResolvers<void>()
    await using hub = await startFakeHub({ files, beforeFile: () => (held ? hold.promise : Promise.resolve()) })
    const fetcher = fetcherOf(hub)
    const abort = new AbortController()
    const first = fetcher.fetch(source(single.path), () => undefined, abort.signal)
    const gone = expect(first).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect.poll(() => hub.requests.some((request) => request.url.includes('/resolve/'))).toBe(true)
    abort.abort()
    await gone
    held = false
    expect((await fetcher.fetch(source(single.path), () => undefined, never)).path).toContain(single.path)
  })

  test.each([
    ['of another machine', () => '1 elsewhere'],
    ['of a process that runs', () => `${process.ppid} ${hostname()}`],
  ])('a lock %s is waited for, until nobody refreshes it', async (_, content) => {
    await using hub = await startFakeHub({ files })
    const lock = await leaveLock(content())
    const waiting = fetcherOf(hub).fetch(source(single.path), () => undefined, AbortSignal.timeout(100))
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' })
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(lock, longAgo, longAgo)
    expect((await fetcherOf(hub).fetch(source(single.path), () => undefined, never)).partDigests).not.toBeNull()
    await expect(stat(lock)).rejects.toThrow()
  })

  test.each([
    ['that has ended', () => `${spawnSync(process.execPath, ['-e', '0']).pid} ${hostname()}`],
    ['that had our number', () => `${process.pid} ${hostname()}`],
  ])('the lock of a process %s holds nobody up', async (_, content) => {
    await using hub = await startFakeHub({ files })
    await leaveLock(content())
    const waits: number[] = []
    const clock: Clock = {
      ...systemClock,
      after(delayMs, run) {
        waits.push(delayMs)
        return systemClock.after(delayMs, run)
      },
    }
    const fetched = await fetcherOf(hub, clock).fetch(source(single.path), () => undefined, never)
    expect(fetched.partDigests).not.toBeNull()
    expect(waits).not.toContain(1000)
  })

  test('a commit of the catalog that is gone gives way to what the hub has now', async () => {
    await using hub = await startFakeHub({ files, goneCommits: ['dead00'] })
    const known = { revision: 'dead00', bytes: 7, sha256: 'a'.repeat(64) }
    const fetched = await fetcherOf(hub).fetch(source(single.path, known), () => undefined, never)
    expect(fetched.partDigests).toEqual([sha256Of(single.content)])
  })
})

async function leaveLock(content: string): Promise<string> {
  const lock = path.join(models, repo, `${single.path}.part.lock`)
  await mkdir(path.dirname(lock), { recursive: true })
  await writeFile(lock, `${content}\n`)
  return lock
}

describe('the hub', () => {
  test('is reachable when its API answers, within the time', async () => {
    await using hub = await startFakeHub({ files })
    expect(await probeHub({ endpoint: hub.endpoint, token: null }, fetch)).toBe(true)
    expect(await probeHub({ endpoint: 'http://127.0.0.1:9', token: null }, fetch)).toBe(false)
    const silent = (_: string, init: RequestInit) =>
      new Promise<Response>((_resolve, reject) => init.signal?.addEventListener('abort', () => reject(new Error('aborted'))))
    expect(await probeHub({ endpoint: hub.endpoint, token: null }, silent, 50)).toBe(false)
    const portal = async () => new Response('<html>log in</html>', { headers: { 'content-type': 'text/html' } })
    expect(await probeHub({ endpoint: hub.endpoint, token: null }, portal)).toBe(false)
  })

  test('is where the environment says', () => {
    expect(hubAddressFrom({})).toEqual({ endpoint: 'https://huggingface.co', token: null })
    expect(hubAddressFrom({ HF_ENDPOINT: 'https://mirror.example/hub/', HF_TOKEN: ' t ' })).toEqual({
      endpoint: 'https://mirror.example/hub',
      token: 't',
    })
  })
})
