import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createFakeLog } from '@shoal/core/testing'
import { readModelManifest, writeDemoModel } from '@shoal/gguf'
import { systemClock } from '@shoal/runtime'
import { expect, test } from 'vitest'
import { type FakeHubOptions, startFakeHub } from '../testing/fake-hub.ts'
import { resolveHubModel } from './download-model.ts'
import { readRemoteManifest } from './remote-manifest.ts'

const repo = 'owner/demo-GGUF'
const never = new AbortController().signal

async function readFrom(content: Uint8Array, options: Partial<FakeHubOptions> = {}) {
  await using fake = await startFakeHub({ files: [{ repo, path: 'demo-F16.gguf', content }], ...options })
  const hub = { address: { endpoint: fake.endpoint, token: null }, fetch: globalThis.fetch, clock: systemClock, log: createFakeLog() }
  const source = { kind: 'hub', repo, file: '', revision: null, bytes: null, sha256: null } as const
  const model = await resolveHubModel(source, hub, never)
  return { manifest: await readRemoteManifest(model, hub, never), requests: fake.requests }
}

test('the header of a model at the hub says the same as that of the file, without fetching it all', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'shoal-remote-'))
  try {
    const file = path.join(folder, 'demo.gguf')
    await writeDemoModel(file)
    const content = await readFile(file)
    const { manifest, requests } = await readFrom(content)
    expect(manifest).toEqual(await readModelManifest(file))
    const ranges = requests.filter((request) => request.range !== null)
    expect(ranges).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('what is no GGUF, and a server without ranges, are told apart', async () => {
  const content = Buffer.alloc(4096, 'no model')
  await expect(readFrom(content)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' })
  await expect(readFrom(content, { ignoreRange: true })).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' })
  await expect(readFrom(content, { fileStatuses: [403] })).rejects.toMatchObject({
    code: 'DOWNLOAD_FAILED',
    remedy: expect.stringContaining('HF_TOKEN'),
  })
})
