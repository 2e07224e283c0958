import { type ErrorCode, errorTable, ShoalError } from '@shoal/core'

export const defaultGatewayUrl = 'http://127.0.0.1:7411'

/** JSON over HTTP with one gateway; every failure is a ShoalError that names the gateway. */
export interface GatewayClient {
  readonly url: string
  get<T>(path: string): Promise<T>
  send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>
  /** The raw answer, for streams. */
  open(path: string, body: unknown, signal?: AbortSignal): Promise<Response>
}

export function createGatewayClient(url: string): GatewayClient {
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new ShoalError({ code: 'USAGE', message: `"${url}" is not the URL of a gateway.`, remedy: `It looks like ${defaultGatewayUrl}.` })
  }
  const base = url.replace(/\/(v1\/?)?$/, '')
  const request = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(base + path, init).catch((cause: unknown) => {
      if (init.signal?.aborted === true) throw new ShoalError({ code: 'CANCELLED', message: 'Stopped.', cause })
      throw new ShoalError({
        code: 'NO_NODE',
        message: `No gateway answers at ${base}.`,
        remedy: 'Start one with: shoal up    or name another with --gateway URL',
        cause,
      })
    })
    if (!response.ok) throw await toShoalError(response, base + path)
    return response
  }
  const json = (body: unknown): RequestInit =>
    body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  return {
    url: base,
    async get<T>(path: string) {
      return (await (await request(path, {})).json()) as T
    },
    async send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown) {
      const response = await request(path, { method, ...json(body) })
      const text = await response.text()
      return (text === '' ? null : JSON.parse(text)) as T
    },
    open: (path, body, signal) => request(path, { method: 'POST', ...json(body), ...(signal === undefined ? {} : { signal }) }),
  }
}

async function toShoalError(response: Response, url: string): Promise<ShoalError> {
  const text = await response.text()
  try {
    const { error } = JSON.parse(text) as { error: { message: string; code: string; param: string | null } }
    const code = (Object.keys(errorTable) as ErrorCode[]).find((each) => errorTable[each].openAiCode === error.code)
    // The gateway's message carries the remedy.
    return new ShoalError({ code: code ?? 'INTERNAL', message: error.message, remedy: '' })
  } catch {
    return new ShoalError({
      code: 'ROUTE_UNKNOWN',
      message: `What answers at ${url} is no Shoal gateway (status ${response.status}).`,
      remedy: 'Name the gateway with --gateway URL.',
    })
  }
}
