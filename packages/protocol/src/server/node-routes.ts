import { modelId, type NodeApi } from '@shoal/core'
import { encodeGenerateEvent } from '../codec/generate-event.ts'
import { parseInferenceRequest } from '../codec/inference-request.ts'
import { parseLoadModelCommand } from '../codec/load-model-command.ts'
import { encodeNodeDescription } from '../codec/node-description.ts'
import { encodeNodeModelState, encodeNodeState } from '../codec/node-state.ts'
import { requireText } from '../codec/parse.ts'
import type { WireMethod } from '../node-transport.ts'
import { nodeService } from '../wire.ts'
import { generateFrameBytes, joinGenerateFrames } from './generate-frame.ts'

/** One method of a NodeApi as a server serves it: messages in, messages out. The gRPC server and the loopback run the same routes. */
export interface NodeRoute<Request, Response> {
  readonly name: keyof NodeApi
  readonly method: WireMethod<never, Request, Response, unknown>
  /** Ends with the node, not with the work: a server that stops ends it at once and well. */
  readonly endsWithNode: boolean
  readonly handle: (request: Request, send: (message: Response) => void, signal: AbortSignal) => Promise<void>
  /** Joins a message to one that still waits for a slow reader; false keeps both. */
  readonly join: (waiting: Response, next: Response) => boolean
  readonly sizeBytes: (message: Response) => number
}

/** The messages differ from route to route; whoever serves them only moves them. */
export type AnyNodeRoute = NodeRoute<unknown, unknown>

export function createNodeRoutes(api: NodeApi): readonly AnyNodeRoute[] {
  return [
    route({
      name: 'describe',
      method: nodeService.Describe,
      handle: async (_request, send, signal) => send(encodeNodeDescription(await api.describe(signal))),
    }),
    route({
      name: 'watch',
      method: nodeService.Watch,
      endsWithNode: true,
      handle: async (request, send, signal) =>
        await api.watch({ heartbeatMs: request.heartbeatMs }, (state) => send({ state: encodeNodeState(state) }), signal),
      join: replaceState,
    }),
    route({
      name: 'loadModel',
      method: nodeService.LoadModel,
      handle: async (request, send, signal) => {
        const command = parseLoadModelCommand(request)
        const result = await api.loadModel(command, (state) => send({ state: encodeNodeModelState(state), isResult: false }), signal)
        send({ state: encodeNodeModelState(result), isResult: true })
      },
      join: replaceProgress,
    }),
    route({
      name: 'unloadModel',
      method: nodeService.UnloadModel,
      handle: async (request, send, signal) => {
        await api.unloadModel(modelId(requireText(request.modelId, 'model_id')), signal)
        send({})
      },
    }),
    route({
      name: 'drain',
      method: nodeService.Drain,
      handle: async (request, send, signal) => send(await api.drain({ deadlineMs: request.deadlineMs }, signal)),
    }),
    route({
      name: 'generate',
      method: nodeService.Generate,
      handle: async (request, send, signal) =>
        await api.generate(parseInferenceRequest(request), (event) => send(encodeGenerateEvent(event)), signal),
      join: joinGenerateFrames,
      sizeBytes: generateFrameBytes,
    }),
  ]
}

type RouteOptions<Request, Response> = Pick<NodeRoute<Request, Response>, 'name' | 'method' | 'handle'> &
  Partial<NodeRoute<Request, Response>>

function route<Request, Response>(options: RouteOptions<Request, Response>): AnyNodeRoute {
  const whole: NodeRoute<Request, Response> = { endsWithNode: false, join: () => false, sizeBytes: () => 0, ...options }
  return whole as unknown as AnyNodeRoute
}

/** A newer snapshot says all that an older one said. */
function replaceState<State>(waiting: { state?: State }, next: { state?: State }): boolean {
  if (next.state === undefined) return false
  waiting.state = next.state
  return true
}

function replaceProgress<State>(waiting: { state?: State; isResult?: boolean }, next: { state?: State; isResult?: boolean }): boolean {
  if (next.isResult !== undefined) waiting.isResult = next.isResult
  return replaceState(waiting, next)
}
