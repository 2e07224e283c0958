import { type Clock, type ClusterView, errorTable, type Log, type Metrics, type NodesResponse, ShoalError } from '@shoal/core'
import { Hono } from 'hono'
import { createDeploymentRoutes } from './admin/deployment-routes.ts'
import type { Controller } from './controller/controller.ts'
import type { Dispatcher } from './dispatcher/dispatcher.ts'
import { type Handler, type HttpContext, type HttpEnv, requestIdOf } from './http-env.ts'
import { createChatRoute } from './openai/chat-route.ts'
import { renderErrorBody, retryHeaders, toClientError } from './openai/error-body.ts'
import { createModelRoute, createModelsRoute, fingerprintOf } from './openai/models-route.ts'
import { bodyBytesMaxDefault } from './openai/read-body.ts'
import { checkHost } from './operations/check-host.ts'
import { createReadyRoute, whyNotReady } from './operations/health-routes.ts'
import { createMetricsRoute } from './operations/metrics-route.ts'
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

/** Path, with `:id` as its last part or without, and what is there by method. */
type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>

/** The gateway's HTTP surface, without a socket: `app.request` answers like the server does. */
export function createGatewayApp(options: GatewayAppOptions): Hono<HttpEnv> {
  const { log } = options
  const routes = createRoutes(options)
  const app = new Hono<HttpEnv>()
  // One handler per route and no middleware: the router then calls it directly.
  for (const [path, methods] of Object.entries(routes))
    for (const [method, handler] of Object.entries(methods)) app.on(method, path, guarded(handler))
  app.notFound(guarded((context) => renderFailure(unknownRoute(routes, context), context, log)))
  app.onError((thrown, context) => renderFailure(thrown, context, log))
  return app
}

function createRoutes(options: GatewayAppOptions): Routes {
  const { clock, dispatcher, metrics, view, isDraining, bodyBytesMax = bodyBytesMaxDefault } = options
  const models = { view, created: Math.floor(clock.wallMs() / 1000) }
  const ready = named(createReadyRoute(() => whyNotReady(view(), isDraining())))
  const deployments = createDeploymentRoutes(options.controller)
  const chat = createChatRoute({
    clock,
    dispatcher,
    meter: createRequestMeter(metrics, clock),
    bodyBytesMax,
    fingerprintOf: (model) => fingerprintOf(view(), model),
  })
  return {
    '/v1/chat/completions': { POST: chat },
    '/v1/models': { GET: named(createModelsRoute(models)) },
    '/v1/models/:id{.+}': { GET: named(createModelRoute(models)) },
    '/health': { GET: ready },
    '/readyz': { GET: ready },
    '/livez': { GET: named((context) => context.json({ status: 'ok' })) },
    '/metrics': { GET: named(createMetricsRoute(options)) },
    '/shoal/v1/nodes': { GET: named((context) => context.json({ nodes: view().nodes } satisfies NodesResponse)) },
    '/shoal/v1/deployments': { GET: named(deployments.list), POST: named(deployments.deploy) },
    '/shoal/v1/deployments/:id': { DELETE: named(deployments.remove) },
  }
}

function guarded(handler: Handler): Handler {
  return (context) => {
    checkHost(context.req.header('host') ?? null)
    return handler(context)
  }
}

/** Adds `x-request-id`; the chat route, whose headers are part of its speed, does it itself. */
function named(handler: Handler): Handler {
  return (context) => {
    context.header('x-request-id', requestIdOf(context))
    return handler(context)
  }
}

function unknownRoute(routes: Routes, context: HttpContext): ShoalError {
  const { method, path } = context.req
  const found = Object.entries(routes).find(([route]) => {
    const [prefix = '', rest] = route.split(':id')
    return rest === undefined ? path === route : path.startsWith(prefix) && path.length > prefix.length
  })
  const shown = path.slice(0, 200)
  if (found === undefined) return new ShoalError({ code: 'ROUTE_UNKNOWN', message: `There is no ${method} ${shown} here.` })
  const allow = Object.keys(found[1]).join(', ')
  context.header('allow', allow)
  return new ShoalError({ code: 'METHOD_NOT_ALLOWED', message: `${method} is not possible on ${shown}; ${allow} is.` })
}

function renderFailure(thrown: unknown, context: HttpContext, log: Log): Response {
  const error = toClientError(thrown)
  const requestId = requestIdOf(context)
  if (error.code === 'INTERNAL') log.error({ err: thrown, requestId, path: context.req.path }, 'a request failed in the gateway itself')
  log.debug({ requestId, method: context.req.method, path: context.req.path, code: error.code }, 'request refused or failed')
  context.header('x-request-id', requestId)
  for (const [name, value] of Object.entries(retryHeaders(error))) context.header(name, value)
  return Response.json(renderErrorBody(error), { status: errorTable[error.code].http, headers: context.res.headers })
}
