import { ShoalError } from '@shoal/core'

/** Where models are fetched from. The token is sent to the origin of `endpoint` only, never to where it redirects. */
export interface HubAddress {
  /** Base URL, for example `https://huggingface.co`. */
  readonly endpoint: string
  readonly token: string | null
}

export interface HubFile {
  /** Path inside the repository. */
  readonly path: string
  readonly bytes: number | null
  /** SHA-256 of the content in hex; null for files the hub keeps in git itself. */
  readonly sha256: string | null
}

export interface HubRepo {
  /** Commit the listing belongs to: downloads name it, so that a push in between cannot mix two versions. */
  readonly commit: string
  readonly files: readonly HubFile[]
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

const listTimeoutMs = 20_000

/** `HF_ENDPOINT` and `HF_TOKEN`, as the hub's own tools read them. */
export function hubAddressFrom(environment: Readonly<Record<string, string | undefined>>): HubAddress {
  const endpoint = environment.HF_ENDPOINT?.trim().replace(/\/+$/, '')
  const token = environment.HF_TOKEN?.trim()
  return {
    endpoint: endpoint === undefined || endpoint === '' ? 'https://huggingface.co' : endpoint,
    token: token === undefined || token === '' ? null : token,
  }
}

/** True when the hub answers its own API within `timeoutMs`; a captive portal answers with something else than JSON. */
export async function probeHub(address: HubAddress, fetch: Fetch, timeoutMs = 3_000): Promise<boolean> {
  try {
    const response = await fetch(`${address.endpoint}/api/models?limit=1`, {
      headers: hubHeaders(address),
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body?.cancel()
    return response.status < 500 && (response.headers.get('content-type') ?? '').includes('json')
  } catch {
    return false
  }
}

export function hubHeaders(address: HubAddress): Record<string, string> {
  return address.token === null ? {} : { authorization: `Bearer ${address.token}` }
}

export function hubFileUrl(address: HubAddress, repo: string, commit: string, file: string): string {
  const escaped = file.split('/').map(encodeURIComponent).join('/')
  return `${address.endpoint}/${repo}/resolve/${encodeURIComponent(commit)}/${escaped}`
}

/**
 * Files of one repository at one revision, with sizes and digests (`GET /api/models/{repo}/revision/{revision}?blobs=true`).
 * Rejects with MODEL_UNKNOWN, DOWNLOAD_FAILED or CANCELLED.
 */
export async function listHubRepo(
  address: HubAddress,
  repo: string,
  options: { readonly revision: string | null; readonly fetch: Fetch; readonly signal: AbortSignal },
): Promise<HubRepo> {
  const revision = encodeURIComponent(options.revision ?? 'main')
  let body: unknown
  try {
    const response = await options.fetch(`${address.endpoint}/api/models/${repo}/revision/${revision}?blobs=true`, {
      headers: hubHeaders(address),
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(listTimeoutMs)]),
    })
    if (!response.ok) {
      await response.body?.cancel()
      throw hubRefusal(response, `The repository ${repo}`, address)
    }
    body = await response.json()
  } catch (error) {
    if (error instanceof ShoalError) throw error
    if (options.signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: `Listing ${repo} was cancelled.` })
    throw new ShoalError({
      code: 'DOWNLOAD_FAILED',
      message: `The hub ${address.endpoint} cannot be reached: ${reasonOf(error)}.`,
      remedy: 'Check the network, or give a file with --model PATH.',
      cause: error,
    })
  }
  return parseHubRepo(body, repo)
}

/** Every answer that will not get better by asking again, as the one error with the right remedy. */
export function hubRefusal(response: Response, what: string, address: HubAddress): ShoalError {
  const code = response.headers.get('x-error-code')
  if (code === 'GatedRepo' || response.status === 401 || response.status === 403) {
    // The hub answers 401 for a repository that does not exist, too, unless one is signed in.
    return new ShoalError({
      code: 'DOWNLOAD_FAILED',
      message: `${what} is refused by ${address.endpoint} (${response.status}): it is gated, private, or does not exist.`,
      remedy: 'Check the name; for a gated or private one accept its terms at the hub and set HF_TOKEN.',
    })
  }
  if (response.status === 404) {
    return new ShoalError({
      code: 'MODEL_UNKNOWN',
      message: `${what} does not exist at ${address.endpoint}.`,
      remedy: 'Check the name: hf:owner/repo:QUANT, as the hub shows it.',
    })
  }
  return new ShoalError({ code: 'DOWNLOAD_FAILED', message: `${what}: the hub ${address.endpoint} answered ${response.status}.` })
}

export function parseHubRepo(body: unknown, repo: string): HubRepo {
  const listing = asRecord(body)
  const commit = listing?.sha
  const siblings = listing?.siblings
  if (typeof commit !== 'string' || !/^[0-9a-f]{7,64}$/.test(commit) || !Array.isArray(siblings)) {
    throw new ShoalError({ code: 'DOWNLOAD_FAILED', message: `The hub's listing of ${repo} is not what its API promises.` })
  }
  return { commit, files: siblings.map(parseHubFile).filter((file) => file !== null) }
}

function parseHubFile(value: unknown): HubFile | null {
  const file = asRecord(value)
  if (typeof file?.rfilename !== 'string') return null
  const lfs = asRecord(file.lfs)
  const bytes = lfs?.size ?? file.size
  return {
    path: file.rfilename,
    bytes: typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null,
    sha256: typeof lfs?.sha256 === 'string' && /^[0-9a-f]{64}$/.test(lfs.sha256) ? lfs.sha256 : null,
  }
}

/** Text of an error of `fetch`, which hides the system's reason in `cause`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? error.cause.message : null
  return cause === null || cause === '' ? error.message : `${error.message}: ${cause}`
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null ? { ...value } : null
}
