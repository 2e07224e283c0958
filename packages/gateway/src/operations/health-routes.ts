import type { ClusterView } from '@shoal/core'
import type { HttpContext } from '../http-env.ts'

/** Why no request can be served now; null = one can. */
export function whyNotReady(view: ClusterView, draining: boolean): string | null {
  if (draining) return 'the gateway is shutting down'
  if (view.nodes.length === 0) return 'no node is connected'
  const models = view.nodes.flatMap(({ state }) => (state.draining ? [] : state.models))
  if (models.some(({ status }) => status === 'ready')) return null
  return models.some(({ status }) => status === 'loading' || status === 'downloading') ? 'a model is being loaded' : 'no model is loaded'
}

/** `GET /readyz` and `GET /health`: 200 when a request can be served, else 503 with the reason. */
export function createReadyRoute(reason: () => string | null) {
  return (context: HttpContext): Response => {
    const why = reason()
    return why === null ? context.json({ status: 'ok' }) : context.json({ status: 'unavailable', reason: why }, 503)
  }
}
