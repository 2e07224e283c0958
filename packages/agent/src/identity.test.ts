import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadIdentity } from './identity.ts'

let state: string
beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'shoal-identity-'))
})
afterEach(() => rm(state, { recursive: true, force: true }))

describe('identity', () => {
  test('a first start makes a key only its owner can read, and the id is the hash of its public part', async () => {
    const identity = await loadIdentity(path.join(state, 'deeper'))
    const file = path.join(state, 'deeper', 'node-key.pem')
    const spki = createPublicKey(await readFile(file)).export({ type: 'spki', format: 'der' })
    expect(identity.nodeId).toBe(createHash('sha256').update(spki).digest('hex').slice(0, 32))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(path.dirname(file))).toEqual(['node-key.pem'])
  })

  test('a restart keeps the id', async () => {
    const first = await loadIdentity(state)
    expect((await loadIdentity(state)).nodeId).toBe(first.nodeId)
  })

  test('several first starts at once agree on one key', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, async () => (await loadIdentity(state)).nodeId))
    expect(new Set(ids).size).toBe(1)
  })

  test.each([
    ['empty', ''],
    ['cut', '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49'],
    ['of another kind', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ])('a key file that is %s is a clear error and stays as it is', async (_, content) => {
    const file = path.join(state, 'node-key.pem')
    await writeFile(file, content)
    await expect(loadIdentity(state)).rejects.toMatchObject({
      code: 'STATE_INVALID',
      message: expect.stringContaining(file),
      remedy: expect.stringContaining('new node'),
    })
    expect(await readFile(file, 'utf8')).toBe(content)
  })
})
