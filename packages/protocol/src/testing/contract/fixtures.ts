import {
  type CancelSignal,
  defaultSampling,
  type GenerateEvent,
  type InferenceRequest,
  type LoadModelCommand,
  modelId,
  type NodeApi,
  requestId,
  ShoalError,
} from '@shoal/core'
import { expect } from 'vitest'
import type { NodeClient } from '../../client/node-client.ts'
import { createFakeNodeApi } from '../fake-node-api.ts'

/** A client whose other end serves `api`; disposing it takes all down that was made for it. */
export type ConnectNodeApi = (api: NodeApi) => Promise<NodeClient>

export const never = (): CancelSignal => new AbortController().signal
export const request = (change: Partial<InferenceRequest> = {}): InferenceRequest => ({
  requestId: requestId('r1'),
  modelId: modelId('m'),
  epoch: 2,
  messages: [{ role: 'user', content: 'hello' }],
  sampling: defaultSampling,
  tokensMax: 20,
  thinking: false,
  ...change,
})
export const command: LoadModelCommand = { modelId: modelId('m'), source: { kind: 'demo' }, contextTokens: 512, slots: 2 }

/** Resolves at once when the handler of the other end sees its signal fire. */
export const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })

/** A node whose generate says that it began, and when it was told to stop. */
export function createEndlessNode() {
  const begun = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  const api = createFakeNodeApi({
    async generate(_request, onEvent, signal) {
      onEvent({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [7] })
      begun.resolve()
      await aborted(signal)
      stopped.resolve()
      onEvent({ kind: 'tokens', epoch: 2, seq: 0, tokenIds: [1], text: 'too late' })
      throw new ShoalError({ code: 'CANCELLED', message: 'stopped' })
    },
  })
  return { api, begun: begun.promise, stopped: stopped.promise }
}

export const textOf = (events: readonly GenerateEvent[]) => events.map((event) => (event.kind === 'tokens' ? event.text : '')).join('')
export const idsOf = (events: readonly GenerateEvent[]) => events.flatMap((event) => (event.kind === 'tokens' ? event.tokenIds : []))

/** The promise of every stream: `accepted`, then tokens without gap or repetition, then `finished`. */
export function expectWholeStream(events: readonly GenerateEvent[]): void {
  expect(events[0]?.kind).toBe('accepted')
  expect(events.at(-1)?.kind).toBe('finished')
  let seq = 0
  for (const event of events) {
    if (event.kind !== 'tokens') continue
    expect(event.seq).toBe(seq)
    seq += event.tokenIds.length
  }
}
