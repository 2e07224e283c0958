import { type NodeApi, type NodeDescription, type NodeModelState, ShoalError } from '@shoal/core'
import { readGenerateEvents } from '../codec/generate-event.ts'
import { encodeInferenceRequest } from '../codec/inference-request.ts'
import { encodeLoadModelCommand } from '../codec/load-model-command.ts'
import { parseNodeDescription } from '../codec/node-description.ts'
import { parseNodeModelState, parseNodeState } from '../codec/node-state.ts'
import { requireMessage } from '../codec/parse.ts'
import type { NodeTransport } from '../node-transport.ts'
import { nodeService } from '../wire.ts'

/** Largest value of the protocol's fields for durations, about 49 days. */
const durationMsMax = 2 ** 32 - 1

/** A NodeApi whose other end is reached by `transport`. */
export function createNodeStub(transport: NodeTransport): NodeApi {
  const cutShort = (method: string) =>
    new ShoalError({ code: 'NODE_LOST', message: `node ${transport.address} ended ${method} without its result` })

  return {
    async describe(signal) {
      let description: NodeDescription | null = null
      await transport.call({
        method: nodeService.Describe,
        request: {},
        onMessage: (message) => {
          description = parseNodeDescription(message)
        },
        signal,
      })
      return description ?? raise(cutShort('describe'))
    },

    watch: (options, onState, signal) =>
      transport.call({
        method: nodeService.Watch,
        request: { heartbeatMs: durationMs(options.heartbeatMs) },
        onMessage: (message) => onState(parseNodeState(requireMessage(message.state, 'state'))),
        signal,
      }),

    async loadModel(command, onProgress, signal) {
      let result: NodeModelState | null = null
      await transport.call({
        method: nodeService.LoadModel,
        request: encodeLoadModelCommand(command),
        onMessage: (message) => {
          const state = parseNodeModelState(requireMessage(message.state, 'state'))
          if (message.isResult) result = state
          else onProgress(state)
        },
        signal,
      })
      return result ?? raise(cutShort('loadModel'))
    },

    unloadModel: (modelId, signal) =>
      transport.call({ method: nodeService.UnloadModel, request: { modelId }, onMessage: () => {}, signal }),

    async drain(options, signal) {
      let unfinished: number | null = null
      await transport.call({
        method: nodeService.Drain,
        request: { deadlineMs: durationMs(options.deadlineMs) },
        onMessage: (message) => {
          unfinished = message.unfinished
        },
        signal,
      })
      return { unfinished: unfinished ?? raise(cutShort('drain')) }
    },

    async generate(request, onEvent, signal) {
      let isFinished = false
      await transport.call({
        method: nodeService.Generate,
        request: encodeInferenceRequest(request),
        onMessage: (message) => {
          if (message.finished) isFinished = true
          readGenerateEvents(message, onEvent)
        },
        signal,
      })
      if (!isFinished) throw cutShort('generate')
    },
  }
}

const durationMs = (value: number): number => Math.min(Math.max(0, Math.ceil(value)), durationMsMax)

function raise(error: ShoalError): never {
  throw error
}
