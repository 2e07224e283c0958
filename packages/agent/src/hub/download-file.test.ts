import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { access, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createFakeLog } from '@shoal/core/testing'
import { systemClock } from '@shoal/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeHubOptions, startFakeHub } from '../testing/fake-hub.ts'
import { downloadFile } from './download-file.ts'
import type { DownloadContext } from './transfer.ts'

const repo = 'owner/tiny-GGUF'
const name = 'tiny-Q8_0.gguf'
const content = randomBytes(300_000)
const sha256 = createHash('sha256').update(content).digest('hex')
const quick = { firstBackoffMs: 1, backoffMsMax: 2, attempts: 4 }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shoal-download-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function fetchFrom(
  options: Partial<FakeHubOptions>,
  overrides: Partial<DownloadContext> & { readonly digest?: string; readonly into?: string } = {},
) {
  await using hub = await startFakeHub({ files: [{ repo, path: name, content }], ...options })
  const target = path.join(overrides.into ?? folder, name)
  const context: DownloadContext = {
    address: { endpoint: hub.endpoint, token: null },
    fetch: globalThis.fetch,
    clock: systemClock,
    log: createFakeLog(),
    signal: new AbortController().signal,
    onBytes: () => undefined,
    limits: quick,
    ...overrides,
  }
  const file = {
    url: `${hub.endpoint}/${repo}/resolve/main/${name}`,
    path: target,
    bytes: content.byteLength,
    sha256: overrides.digest ?? sha256,
  }
  const outcome = await downloadFile(file, context).then(
    (value) => ({ value, error: null }),
    (error: unknown) => ({ value: null, error }),
  )
  return { ...outcome, requests: hub.requests, target }
}

describe('download of a file', () => {
  test('a whole answer becomes the file, with its digest and no part left', async () => {
    const { value, target } = await fetchFrom({})
    expect(value).toEqual({ sha256 })
    expect(await readFile(target)).toEqual(content)
    expect(await readdir(folder)).toEqual([name])
  })

  test('a connection cut twice goes on where it stopped', async () => {
    const { value, target, requests } = await fetchFrom({ cutAfterBytes: [100_000, 50_000] })
    expect(value).toEqual({ sha256 })
    expect(await readFile(target)).toEqual(content)
    const starts = requests.map((request) => Number(/bytes=(\d+)-/.exec(request.range ?? 'bytes=0-')?.[1]))
    expect(starts).toHaveLength(3)
    expect(starts[0]).toBe(0)
    expect(starts[1]).toBeGreaterThan(0)
    expect(starts[2]).toBeGreaterThan(starts[1] ?? 0)
  })

  test('a part of an earlier run is continued, and its bytes count for the digest', async () => {
    await writeFile(path.join(folder, `${name}.part`), content.subarray(0, 123_456))
    const { value, requests } = await fetchFrom({})
    expect(value).toEqual({ sha256 })
    expect(requests.map((request) => request.range)).toEqual(['bytes=123456-'])
  })

  test('a whole part needs no request at all', async () => {
    await writeFile(path.join(folder, `${name}.part`), content)
    const { value, requests } = await fetchFrom({})
    expect(value).toEqual({ sha256 })
    expect(requests).toEqual([])
  })

  test('a part of another version is noticed by the digest and fetched whole', async () => {
    await writeFile(path.join(folder, `${name}.part`), randomBytes(1000))
    const { value, target } = await fetchFrom({})
    expect(value).toEqual({ sha256 })
    expect(await readFile(target)).toEqual(content)
  })

  test('a part longer than the file is thrown away', async () => {
    await writeFile(path.join(folder, `${name}.part`), randomBytes(content.byteLength + 1))
    const { value } = await fetchFrom({})
    expect(value).toEqual({ sha256 })
  })

  test('a server without Range is started over', async () => {
    await writeFile(path.join(folder, `${name}.part`), content.subarray(0, 1000))
    const { value, target } = await fetchFrom({ ignoreRange: true })
    expect(value).toEqual({ sha256 })
    expect(await readFile(target)).toEqual(content)
  })

  test('a wrong digest removes what came and says both digests', async () => {
    const { error } = await fetchFrom({}, { digest: 'f'.repeat(64) })
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH', message: expect.stringContaining(sha256) })
    expect(await readdir(folder)).toEqual([])
  })

  test('a size other than promised is refused before the bytes', async () => {
    const { error } = await fetchFrom({ files: [{ repo, path: name, content: content.subarray(0, 1000) }] })
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH', message: expect.stringContaining('1000 bytes') })
  })

  test('a busy hub is asked again', async () => {
    const { value, requests } = await fetchFrom({ fileStatuses: [503, 429, 500] })
    expect(value).toEqual({ sha256 })
    expect(requests).toHaveLength(4)
  })

  test('a hub that never gets further is given up, and the part is kept', async () => {
    const { error } = await fetchFrom({ cutAfterBytes: [1000, 0, 0, 0, 0] })
    expect(error).toMatchObject({ code: 'DOWNLOAD_FAILED' })
    expect((await stat(path.join(folder, `${name}.part`))).size).toBe(1000)
  })

  test('an answer that stalls is given up and asked again', async () => {
    let answers = 0
    const { value } = await fetchFrom(
      { beforeFile: () => (answers++ === 0 ? new Promise(() => undefined) : Promise.resolve()) },
      { limits: { ...quick, stallMs: 100 } },
    )
    expect(value).toEqual({ sha256 })
    expect(answers).toBe(2)
  })

  test('a cancelled download keeps its part for the next time', async () => {
    const abort = new AbortController()
    const { error } = await fetchFrom({ cutAfterBytes: [100_000] }, { signal: abort.signal, onBytes: () => abort.abort() })
    expect(error).toMatchObject({ code: 'CANCELLED' })
    expect((await stat(path.join(folder, `${name}.part`))).size).toBeGreaterThan(0)
  })

  test('a missing file is not asked for again', async () => {
    const { error, requests } = await fetchFrom({ files: [{ repo, path: 'other.gguf', content }] })
    expect(error).toMatchObject({ code: 'MODEL_UNKNOWN', message: expect.stringContaining(name) })
    expect(requests).toHaveLength(1)
  })

  test('a gated file names the token', async () => {
    const { error } = await fetchFrom({ gated: { [repo]: 'secret' } })
    expect(error).toMatchObject({ code: 'DOWNLOAD_FAILED', remedy: expect.stringContaining('HF_TOKEN') })
  })

  test('the token goes to the hub and not to the storage it redirects to', async () => {
    await using storage = await startFakeHub({ files: [{ repo, path: name, content }] })
    await using hub = await startFakeHub({
      files: [{ repo, path: name, content }],
      gated: { [repo]: 'secret' },
      redirectTo: storage.endpoint,
    })
    await downloadFile(
      { url: `${hub.endpoint}/${repo}/resolve/main/${name}`, path: path.join(folder, name), bytes: null, sha256 },
      {
        address: { endpoint: hub.endpoint, token: 'secret' },
        fetch: globalThis.fetch,
        clock: systemClock,
        log: createFakeLog(),
        signal: new AbortController().signal,
        onBytes: () => undefined,
      },
    )
    expect(hub.requests.map((request) => request.authorization)).toEqual(['Bearer secret'])
    expect(storage.requests.map((request) => request.authorization)).toEqual([null])
  })

  test('a file larger than the free space is refused before the first byte', async () => {
    await using hub = await startFakeHub({ files: [{ repo, path: name, content }] })
    const attempt = downloadFile(
      { url: `${hub.endpoint}/${repo}/resolve/main/${name}`, path: path.join(folder, name), bytes: 2 ** 60, sha256 },
      {
        address: { endpoint: hub.endpoint, token: null },
        fetch: globalThis.fetch,
        clock: systemClock,
        log: createFakeLog(),
        signal: new AbortController().signal,
        onBytes: () => undefined,
      },
    )
    await expect(attempt).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining(folder) })
    expect(hub.requests).toEqual([])
  })
})

const isRoot = process.getuid?.() === 0
describe.skipIf(!isRoot && process.env.REQUIRE_ALL !== '1')(
  `a disk that fills up${isRoot ? '' : ' (skipped: mounting a small disk needs root)'}`,
  () => {
    let disk: string
    beforeEach(async () => {
      disk = path.join(folder, 'disk')
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk])
    })
    afterEach(() => {
      execFileSync('umount', [disk])
    })

    test('is an error of its own that keeps the part', async () => {
      // The size is not known before, so only the write can notice.
      await using hub = await startFakeHub({ files: [{ repo, path: name, content }] })
      const chunked = async (url: string, init: RequestInit) => {
        const response = await fetch(url, init)
        return new Response(response.body, { status: response.status })
      }
      const attempt = downloadFile(
        { url: `${hub.endpoint}/${repo}/resolve/main/${name}`, path: path.join(disk, name), bytes: null, sha256 },
        {
          address: { endpoint: hub.endpoint, token: null },
          fetch: chunked,
          clock: systemClock,
          log: createFakeLog(),
          signal: new AbortController().signal,
          onBytes: () => undefined,
        },
      )
      await expect(attempt).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('kept') })
      expect((await stat(path.join(disk, `${name}.part`))).size).toBeGreaterThan(100_000)
      await expect(access(path.join(disk, name))).rejects.toThrow()
    })
  },
)
