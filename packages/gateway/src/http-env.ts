import type { Context } from 'hono'

/** What the gateway's middleware leaves for its routes. */
export interface HttpEnv {
  readonly Variables: { readonly requestId: string }
}

export type HttpContext = Context<HttpEnv>
