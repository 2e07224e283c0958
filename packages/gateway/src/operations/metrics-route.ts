import type { ClusterView, Metrics } from '@shoal/core'
import type { Dispatcher } from '../dispatcher/dispatcher.ts'
import type { Handler } from '../http-env.ts'

export interface MetricsRouteOptions {
  readonly metrics: Metrics
  readonly dispatcher: Pick<Dispatcher, 'counts'>
  readonly view: () => ClusterView
}

/** `GET /metrics`; what can be read off the state is set at the moment it is asked for. */
export function createMetricsRoute({ metrics, dispatcher, view }: MetricsRouteOptions): Handler {
  const waiting = metrics.gauge({ name: 'shoal_gateway_queue_length', help: 'Requests that wait for a slot.' })
  const running = metrics.gauge({ name: 'shoal_gateway_active_requests', help: 'Requests that a node is answering.' })
  const nodes = metrics.gauge({ name: 'shoal_gateway_nodes', help: 'Nodes by liveness.', labels: ['liveness'] })
  return async (context) => {
    const counts = dispatcher.counts()
    waiting.set(counts.waiting)
    running.set(counts.running)
    for (const liveness of ['connected', 'suspect']) {
      nodes.set(view().nodes.filter((node) => node.liveness === liveness).length, { liveness })
    }
    return context.body(await metrics.expose(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  }
}
