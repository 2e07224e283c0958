import { randomUUID } from 'node:crypto'
import { type Clock, type ClusterView, errorTable, type Log, type Metrics, type NodesResponse, ShoalError } from '@shoal/core'
import { Hono } from 'hono'
import { createDeploymentRoutes } from './admin/deployment-routes.ts'
import type { Controller } from './controller/controller.ts'
import type { Dispatcher } from './dispatcher/dispatcher.ts'
import type { HttpContext, HttpEnv } from './http-env.ts'
import { createChatRoute } from './openai/chat-route.ts'
import { renderErrorBody, retryHeaders, toClientError } from './openai/error-body.ts'
import { createModelRoute, createModelsRoute, fingerprintOf } from './openai/models-route.ts'
import { bodyBytesMaxDefault } from './openai/read-body.ts'
import { createReadyRoute, whyNotReady } from './operations/health-routes.ts'
import { createRequestMeter } from './operations/request-meter.ts'

export interface GatewayAppOptions {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly dispatcher: Pick<Dispatcher, 'run' | 'counts'>
  readonly view: () => ClusterView
  readonly controller: Pick<Controller, 'list' | 'deploy' | 'remove'>
  /** The gateway is going down: it finishes what runs and is not ready for more. */
  readonly isDraining: () => boolean
  readonly bodyBytesMax?: number
}

/** The gateway's HTTP surface, without a socket: `app.request` answers like the server does. */
export function createGatewayApp(options: GatewayAppOptions): Hono<HttpEnv> {
  const { clock, log, metrics, dispatcher, view, isDraining, bodyBytesMax = bodyBytesMaxDefault } = options
  const app = new Hono<HttpEnv>()
  app.use(async (context, next) => {
    const id = randomUUID().replaceAll('-', '')
    context.set('requestId', id)
    context.header('x-request-id', id)
    await next()
  })
  const models = { view, created: Math.floor(clock.wallMs() / 1000) }
  const ready = createReadyRoute(() => whyNotReady(view(), isDraining()))
  const expose = createMetricsRoute(options)
  const deployments = createDeploymentRoutes(options.controller)
  const chat = createChatRoute({
    clock,
    dispatcher,
    meter: createRequestMeter(metrics, clock),
    bodyBytesMax,
    fingerprintOf: (model) => fingerprintOf(view(), model),
  })
  const routes: Routes = {
    '/v1/chat/completions': { POST: chat },
    '/v1/models': { GET: createModelsRoute(models) },
    '/v1/models/:id{.+}': { GET: createModelRoute(models) },
    '/health': { GET: ready },
    '/readyz': { GET: ready },
    '/livez': { GET: (context) => context.json({ status: 'ok' }) },
    '/metrics': { GET: expose },
    '/shoal/v1/nodes': { GET: (context) => context.json({ nodes: view().nodes } satisfies NodesResponse) },
    '/shoal/v1/deployments': { GET: deployments.list, POST: deployments.deploy },
    '/shoal/v1/deployments/:id': { DELETE: deployments.remove },
  }
  for (const [path, methods] of Object.entries(routes)) {
    for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler)
    const allow = Object.keys(methods).join(', ')
    app.all(path, (context) => {
      context.header('allow', allow)
      throw new ShoalError({
        code: 'METHOD_NOT_ALLOWED',
        message: `${context.req.method} is not possible on ${context.req.path}; ${allow} is.`,
      })
    })
  }
  app.notFound((context) => {
    throw new ShoalError({ code: 'ROUTE_UNKNOWN', message: `There is no ${context.req.method} ${context.req.path.slice(0, 200)} here.` })
  })
  app.onError((thrown, context) => renderFailure(thrown, context, log))
  return app
}

type Routes = Readonly<Record<string, Readonly<Record<string, (context: HttpContext) => Response | Promise<Response>>>>>

/** `GET /metrics`; what can be read off the state is set at the moment it is asked for. */
function createMetricsRoute({ metrics, dispatcher, view }: GatewayAppOptions) {
  const waiting = metrics.gauge({ name: 'shoal_gateway_queue_length', help: 'Requests that wait for a slot.' })
  const running = metrics.gauge({ name: 'shoal_gateway_active_requests', help: 'Requests that a node is answering.' })
  const nodes = metrics.gauge({ name: 'shoal_gateway_nodes', help: 'Nodes by liveness.', labels: ['liveness'] })
  return async (context: HttpContext): Promise<Response> => {
    const counts = dispatcher.counts()
    waiting.set(counts.waiting)
    running.set(counts.running)
    for (const liveness of ['connected', 'suspect'])
      nodes.set(view().nodes.filter((node) => node.liveness === liveness).length, { liveness })
    return context.body(await metrics.expose(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  }
}

function renderFailure(thrown: unknown, context: HttpContext, log: Log): Response {
  const error = toClientError(thrown)
  if (error.code === 'INTERNAL') log.error({ err: thrown, path: context.req.path }, 'a request failed in the gateway itself')
  for (const [name, value] of Object.entries(retryHeaders(error))) context.header(name, value)
  return Response.json(renderErrorBody(error), { status: errorTable[error.code].http, headers: context.res.headers })
}
