import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeHubFile {
  readonly repo: string
  readonly path: string
  readonly content: Uint8Array
  /** Digest the listing promises; the true one unless given. */
  readonly sha256?: string
}

export interface FakeHubOptions {
  readonly files: readonly FakeHubFile[]
  /** Bytes after which each answer of a file breaks off, in order of requests; none = whole. */
  readonly cutAfterBytes?: readonly number[]
  readonly ignoreRange?: boolean
  /** Revisions nobody has any more. */
  readonly goneCommits?: readonly string[]
  /** Repositories that need this token. */
  readonly gated?: Readonly<Record<string, string>>
  /** Files are redirected there, as the hub does to its storage. */
  readonly redirectTo?: string
  /** Runs before each answer of a file, for example to hold it back. */
  readonly beforeFile?: () => Promise<void>
  /** Status of the next answers of files, in order; 0 = as it should be. */
  readonly fileStatuses?: readonly number[]
}

export interface FakeHubRequest {
  readonly url: string
  readonly range: string | null
  readonly authorization: string | null
}

export interface FakeHub extends AsyncDisposable {
  readonly endpoint: string
  readonly requests: readonly FakeHubRequest[]
}

/** A model hub on loopback with the faults real ones have. */
export async function startFakeHub(options: FakeHubOptions): Promise<FakeHub> {
  const requests: FakeHubRequest[] = []
  const state = { fileRequests: 0 }
  const server = createServer((request, response) => {
    requests.push({
      url: request.url ?? '',
      range: request.headers.range ?? null,
      authorization: request.headers.authorization ?? null,
    })
    answer(request, response, options, state).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, options: FakeHubOptions, state: { fileRequests: number }) {
  const url = new URL(request.url ?? '/', 'http://hub')
  const listing = /^\/api\/models\/([^/]+\/[^/]+)\/revision\//.exec(url.pathname)?.[1]
  if (url.pathname === '/api/models') return json(response, 200, [])
  const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname)
  const repo = listing ?? file?.[1]
  const token = repo === undefined ? undefined : options.gated?.[repo]
  if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
    return json(response, 401, { error: 'gated' }, { 'x-error-code': 'GatedRepo' })
  }
  const files = options.files.filter((each) => each.repo === repo)
  if (repo === undefined || files.length === 0) return json(response, 404, { error: 'Repository not found' })
  if (listing !== undefined) return json(response, 200, { sha: fakeCommit, siblings: files.map(sibling) })
  const found = files.find((each) => each.path === decodeURIComponent(file?.[3] ?? ''))
  if (found === undefined || options.goneCommits?.includes(file?.[2] ?? '') === true)
    return json(response, 404, { error: 'Entry not found' }, { 'x-error-code': 'EntryNotFound' })
  if (options.redirectTo !== undefined) {
    response.writeHead(302, { location: `${options.redirectTo}${url.pathname}` }).end()
    return
  }
  const nth = state.fileRequests++
  await options.beforeFile?.()
  const status = options.fileStatuses?.[nth] ?? 0
  if (status !== 0) return json(response, status, { error: 'busy' }, { 'retry-after': '0' })
  sendFile(request, response, { content: found.content, ignoreRange: options.ignoreRange === true, cutAfter: options.cutAfterBytes?.[nth] })
}

interface Sent {
  readonly content: Uint8Array
  readonly ignoreRange: boolean
  readonly cutAfter: number | undefined
}

function sendFile(request: IncomingMessage, response: ServerResponse, { content, ignoreRange, cutAfter }: Sent) {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const from = Number(range?.[1] ?? 0)
  const to = Math.min(content.byteLength, range?.[2] ? Number(range[2]) + 1 : content.byteLength)
  if (range !== null && !ignoreRange) {
    if (from >= content.byteLength) {
      response.writeHead(416, { 'content-range': `bytes */${content.byteLength}` }).end()
      return
    }
    response.writeHead(206, { 'content-range': `bytes ${from}-${to - 1}/${content.byteLength}`, 'content-length': to - from })
  } else {
    response.writeHead(200, { 'content-length': content.byteLength })
  }
  const body = ignoreRange ? content : content.subarray(from, to)
  if (cutAfter === undefined) {
    response.end(body)
    return
  }
  // Written first, broken off when it is out: the client must have got these bytes.
  response.write(body.subarray(0, cutAfter), () => response.destroy())
}

export const fakeCommit = '0123456789abcdef0123456789abcdef01234567'

const sha256Of = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')

const sibling = (file: FakeHubFile) => ({
  rfilename: file.path,
  size: file.content.byteLength,
  lfs: { sha256: file.sha256 ?? sha256Of(file.content), size: file.content.byteLength, pointerSize: 134 },
})

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
