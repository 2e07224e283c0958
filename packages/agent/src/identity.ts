import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { type NodeId, nodeId, ShoalError } from '@shoal/core'
import { isErrno } from './time.ts'

export interface NodeIdentity {
  readonly nodeId: NodeId
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const keyFile = 'node-key.pem'

/**
 * The key pair that makes this machine this node: P-256, made at the first start, kept as PKCS #8 PEM (mode 0600) in `stateDirectory`.
 * A key file that cannot be read is an error and never replaced: a new key would be a new node to every gateway.
 * Rejects with STATE_INVALID.
 */
export async function loadIdentity(stateDirectory: string): Promise<NodeIdentity> {
  const file = path.join(stateDirectory, keyFile)
  const pem = (await readKey(file)) ?? (await createKey(file))
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(pem)
  } catch (error) {
    throw invalidKey(file, 'is not a private key', error)
  }
  if (privateKey.asymmetricKeyType !== 'ec' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw invalidKey(file, 'is not a P-256 key')
  }
  const publicKey = createPublicKey(privateKey)
  return { nodeId: nodeIdOf(publicKey), privateKey, publicKey }
}

/** First 32 hex digits of SHA-256 over the DER encoding (SPKI) of the public key. */
export function nodeIdOf(publicKey: KeyObject): NodeId {
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return nodeId(createHash('sha256').update(spki).digest('hex').slice(0, 32))
}

async function readKey(file: string): Promise<string | null> {
  try {
    const pem = await readFile(file, 'utf8')
    // Others may have copied it in with a wider mode; a key that everybody can read is no identity.
    if (process.platform !== 'win32') await chmod(file, 0o600)
    return pem
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw invalidKey(file, 'cannot be read', error)
  }
}

/** Written aside, synced and linked into place: a power cut leaves either no key or a whole one, and two first starts agree on one. */
async function createKey(file: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const draft = `${file}.${randomUUID()}.new`
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await using handle = await open(draft, 'w', 0o600)
    await handle.writeFile(pem)
    await handle.sync()
    await link(draft, file)
    return pem
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return await readFile(file, 'utf8')
    throw invalidKey(file, 'cannot be written', error)
  } finally {
    await rm(draft, { force: true })
  }
}

function invalidKey(file: string, what: string, cause?: unknown): ShoalError {
  const detail = cause instanceof Error ? ` (${cause.message})` : ''
  return new ShoalError({
    code: 'STATE_INVALID',
    message: `The key of this node, ${file}, ${what}${detail}.`,
    remedy: 'Restore the file from a backup, or move it away to start as a new node.',
    cause,
  })
}
