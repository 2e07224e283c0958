import { randomUUID } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'

export interface HttpEnv {
  /** Of the server; requests that come without a socket have none. */
  readonly Bindings: Partial<HttpBindings>
  readonly Variables: { requestId?: string }
}

export type HttpContext = Context<HttpEnv>

export type Handler = (context: HttpContext) => Response | Promise<Response>

/** Names this request in headers and logs, and in the work it causes: 32 hex digits, the same at every call. */
export function requestIdOf(context: HttpContext): string {
  const known = context.get('requestId')
  if (known !== undefined) return known
  const id = randomUUID().replaceAll('-', '')
  context.set('requestId', id)
  return id
}
