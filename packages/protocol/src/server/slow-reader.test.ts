import { connect, constants } from 'node:http2'
import { defaultSampling, type GenerateEvent, type InferenceRequest, modelId, requestId } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import { createNodeClient } from '../client/node-client.ts'
import { encodeInferenceRequest } from '../codec/inference-request.ts'
import { createFakeNodeApi } from '../testing/fake-node-api.ts'
import { nodeService } from '../wire.ts'
import { createFrameWriter, waitingBytesMax } from './frame-writer.ts'
import { startNodeServer } from './node-server.ts'

const request: InferenceRequest = {
  requestId: requestId('slow'),
  modelId: modelId('m'),
  epoch: 0,
  messages: [{ role: 'user', content: 'x' }],
  sampling: defaultSampling,
  tokensMax: null,
  thinking: false,
}

/** Asks as a gRPC client does and then never reads. */
function askAndNeverRead(port: number) {
  const session = connect(`http://127.0.0.1:${port}`)
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: nodeService.Generate.path,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    te: 'trailers',
  })
  stream.pause()
  stream.on('error', () => {})
  const message = nodeService.Generate.requestSerialize(encodeInferenceRequest(request))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.byteLength, 1)
  stream.end(Buffer.concat([head, message]))
  return session
}

test('a reader that stands still is cut at 64 KiB, and only it', async () => {
  const log = createFakeLog()
  const told = Promise.withResolvers<number>()
  const plain = createFakeNodeApi()
  const api = createFakeNodeApi({
    async generate(received, onEvent, signal) {
      if (received.requestId !== 'slow') return await plain.generate(received, onEvent, signal)
      onEvent({ kind: 'accepted', promptTokens: 1, cachedTokens: 0, promptTokenIds: [] })
      for (let seq = 0; ; seq += 1) {
        await new Promise((resolve) => setImmediate(resolve))
        if (signal.aborted) return told.resolve(seq)
        onEvent({ kind: 'tokens', epoch: 0, seq, tokenIds: [seq], text: 'x'.repeat(1000) })
      }
    },
  })
  await using server = await startNodeServer({ api, host: '127.0.0.1', port: 0, log, allowInsecureNonLoopback: false })
  await using client = createNodeClient({ address: `127.0.0.1:${server.port}`, log })
  const session = askAndNeverRead(server.port)

  const events: GenerateEvent[] = []
  const quick = { ...request, requestId: requestId('quick'), tokensMax: 300 }
  await client.generate(quick, (event) => events.push(event), new AbortController().signal)
  expect(events.at(-1)).toMatchObject({ kind: 'finished', completionTokens: 300 })

  // Beyond our 64 KiB lie the window of the stream (64 KiB) and the one frame that is on its way.
  expect(await told.promise).toBeLessThan(400)
  expect(log.entries).toContainEqual(expect.objectContaining({ level: 'warn', fields: { method: 'generate', code: 'SLOW_READER' } }))
  session.destroy()
})

test('a writer sends at once while the peer reads, and joins what comes meanwhile', async () => {
  const written: string[][] = []
  const takers: (() => void)[] = []
  const errors: unknown[] = []
  const writer = createFrameWriter<string[]>({
    write: (frame, done) => {
      written.push(frame)
      takers.push(done)
    },
    join: (waiting, next) => waiting.push(...next) > 0,
    sizeBytes: (frame) => frame.join('').length,
    onOverflow: (error) => errors.push(error),
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  writer.send(['a'])
  expect(written).toStrictEqual([])
  await turn()
  writer.send(['b'])
  writer.send(['c'])
  await turn()
  expect(written).toStrictEqual([['a']])
  takers[0]?.()
  expect(written).toStrictEqual([['a'], ['b', 'c']])

  writer.send(['x'.repeat(waitingBytesMax)])
  expect(errors).toStrictEqual([])
  writer.send(['y'])
  expect(errors).toMatchObject([{ code: 'SLOW_READER' }])

  writer.close()
  expect(written).toHaveLength(3)
  writer.send(['z'])
  takers[1]?.()
  await turn()
  expect(written).toHaveLength(3)
})
