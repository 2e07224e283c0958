import type { GenerateEvent } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  arbitraryCommand,
  arbitraryDescription,
  arbitraryEvent,
  arbitraryModelState,
  arbitraryRequest,
  arbitraryState,
} from '../testing/arbitraries.ts'
import { nodeService } from '../wire.ts'
import { encodeGenerateEvent, readGenerateEvents } from './generate-event.ts'
import { encodeInferenceRequest, parseInferenceRequest } from './inference-request.ts'
import { encodeLoadModelCommand, parseLoadModelCommand } from './load-model-command.ts'
import { encodeNodeDescription, parseNodeDescription } from './node-description.ts'
import { encodeNodeModelState, encodeNodeState, parseNodeModelState, parseNodeState } from './node-state.ts'
import { requireMessage } from './parse.ts'

const { Describe, Watch, LoadModel, Generate } = nodeService

/** Value -> protobuf bytes -> value must give the same, for every value there is. */
function expectRoundTrip<T>(arbitrary: fc.Arbitrary<T>, throughBytes: (value: T) => unknown): void {
  const property = fc.property(arbitrary, (value) => {
    expect(throughBytes(value)).toStrictEqual(value)
  })
  fc.assert(property, { numRuns: 300 })
}

const readEvents = (bytes: Buffer): GenerateEvent[] => {
  const events: GenerateEvent[] = []
  readGenerateEvents(Generate.responseDeserialize(bytes), (event) => events.push(event))
  return events
}

describe('what is encoded comes back the same through its bytes', () => {
  test('a node description', () => {
    expectRoundTrip(arbitraryDescription, (value) =>
      parseNodeDescription(Describe.responseDeserialize(Describe.responseSerialize(encodeNodeDescription(value)))),
    )
  })

  test('a node state', () => {
    expectRoundTrip(arbitraryState, (value) => {
      const read = Watch.responseDeserialize(Watch.responseSerialize({ state: encodeNodeState(value) }))
      return parseNodeState(requireMessage(read.state, 'state'))
    })
  })

  test('the state of a model', () => {
    expectRoundTrip(arbitraryModelState, (value) => {
      const read = LoadModel.responseDeserialize(LoadModel.responseSerialize({ state: encodeNodeModelState(value) }))
      return parseNodeModelState(requireMessage(read.state, 'state'))
    })
  })

  test('a load command', () => {
    expectRoundTrip(arbitraryCommand, (value) =>
      parseLoadModelCommand(LoadModel.requestDeserialize(LoadModel.requestSerialize(encodeLoadModelCommand(value)))),
    )
  })

  test('an inference request', () => {
    expectRoundTrip(arbitraryRequest, (value) =>
      parseInferenceRequest(Generate.requestDeserialize(Generate.requestSerialize(encodeInferenceRequest(value)))),
    )
  })

  test('an event of a generation', () => {
    expectRoundTrip(
      arbitraryEvent.map((event) => [event]),
      ([event]) => (event === undefined ? [] : readEvents(Generate.responseSerialize(encodeGenerateEvent(event)))),
    )
  })
})

describe('what the other end may not send is refused as INVALID_REQUEST', () => {
  const validRequest = { requestId: 'r', modelId: 'm', sampling: {}, messages: [{ role: 'user', content: 'hi' }] }
  const validState = { nodeId: 'n', models: [{ modelId: 'm', status: 'ready' }] }
  const generate = (wire: Parameters<typeof Generate.requestSerialize>[0]) => () =>
    parseInferenceRequest(Generate.requestDeserialize(Generate.requestSerialize(wire)))
  const load = (wire: Parameters<typeof LoadModel.requestSerialize>[0]) => () =>
    parseLoadModelCommand(LoadModel.requestDeserialize(LoadModel.requestSerialize(wire)))
  const watch = (state: NonNullable<Parameters<typeof Watch.responseSerialize>[0]['state']>) => () =>
    parseNodeState(requireMessage(Watch.responseDeserialize(Watch.responseSerialize({ state })).state, 'state'))
  const frame = (wire: Parameters<typeof Generate.responseSerialize>[0]) => () => readEvents(Generate.responseSerialize(wire))

  test('the same values without the fault are read', () => {
    expect(generate(validRequest)).not.toThrow()
    expect(watch(validState)).not.toThrow()
    expect(load({ modelId: 'm', demo: {} })).not.toThrow()
  })

  test.each<[string, () => unknown, string]>([
    ['a request without an id', generate({ ...validRequest, requestId: '' }), 'request_id'],
    ['a request without a model', generate({ ...validRequest, modelId: '' }), 'model_id'],
    ['a request without sampling', generate({ ...validRequest, sampling: null }), 'sampling'],
    ['an unknown role', generate({ ...validRequest, messages: [{ role: 'root', content: '' }] }), 'messages.role'],
    ['a temperature that is no number', generate({ ...validRequest, sampling: { temperature: Number.NaN } }), 'sampling.temperature'],
    ['an infinite penalty', generate({ ...validRequest, sampling: { repeatPenalty: Infinity } }), 'sampling.repeat_penalty'],
    ['a seed beyond 2^53', generate({ ...validRequest, sampling: { seed: '9223372036854775807' } }), 'sampling.seed'],
    [
      'a bias for something else than a token',
      generate({ ...validRequest, sampling: { logitBias: { biases: { x: 1 } } } }),
      'sampling.logit_bias',
    ],
    ['a load without a source', load({ modelId: 'm' }), 'source'],
    ['a load from the hub without a file', load({ modelId: 'm', hub: { repo: 'a/b' } }), 'hub.file'],
    ['an unknown status', watch({ ...validState, models: [{ modelId: 'm', status: 'sleeping' }] }), 'state.models.status'],
    ['a state without a node', watch({ ...validState, nodeId: '' }), 'state.node_id'],
    ['a state version beyond 2^53', watch({ ...validState, version: '18446744073709551615' }), 'state.version'],
    ['a frame without an event', frame({}), 'event'],
    ['an unknown reason to finish', frame({ finished: { reason: 'bored' } }), 'finished.reason'],
  ])('%s', (_name, read, field) => {
    expect(read).toThrow(expect.objectContaining({ name: 'ShoalError', code: 'INVALID_REQUEST', param: field }))
  })

  test('arbitrary bytes are read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        let wire: ReturnType<typeof Generate.requestDeserialize>
        try {
          wire = Generate.requestDeserialize(Buffer.from(noise))
        } catch {
          return // gRPC answers this itself: the bytes are no message
        }
        try {
          parseInferenceRequest(wire)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})
