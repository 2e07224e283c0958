/**
 * The bare relay the gateway is measured against: hono and grpc-js with nothing between them, one frame = one SSE chunk. No validation,
 * routing, queue, limits, metrics or stop strings. Prints its port as the first line of stdout.
 */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

interface Frame {
  readonly accepted?: { readonly promptTokens: number }
  readonly tokens?: { readonly tokenIds: readonly number[]; readonly text: string }
  readonly finished?: { readonly completionTokens: number }
}
interface ChatBody {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly stream?: boolean
  readonly max_tokens?: number
}
type GenerateClient = grpc.Client & { generate(request: object): grpc.ClientReadableStream<Frame> }

const agentAddress = process.argv[2]
if (agentAddress === undefined) throw new Error('usage: relay.ts AGENT_ADDRESS')
const protoFolder = fileURLToPath(new URL('../../../proto', import.meta.url))
const definition = loadSync('shoal/v1/node.proto', { includeDirs: [protoFolder], defaults: true, oneofs: true, longs: Number })
const service = grpc.loadPackageDefinition(definition) as unknown as {
  shoal: { v1: { NodeService: new (address: string, credentials: grpc.ChannelCredentials) => GenerateClient } }
}
const client = new service.shoal.v1.NodeService(agentAddress, grpc.credentials.createInsecure())

const app = new Hono()
app.post('/v1/chat/completions', async (context) => {
  const body = (await context.req.json()) as ChatBody
  const id = `chatcmpl-${randomUUID()}`
  const created = Math.floor(Date.now() / 1000)
  const call = client.generate({
    requestId: id,
    modelId: body.model,
    epoch: 1,
    messages: body.messages,
    sampling: {},
    tokensMax: body.max_tokens,
    thinking: false,
  })
  if (body.stream !== true) {
    let text = ''
    let completionTokens = 0
    await new Promise<void>((resolve, reject) => {
      call.on('data', (frame: Frame) => {
        if (frame.tokens !== undefined) text += frame.tokens.text
        if (frame.finished !== undefined) completionTokens = frame.finished.completionTokens
      })
      call.on('end', resolve)
      call.on('error', reject)
    })
    const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'length' }]
    return context.json({
      id,
      object: 'chat.completion',
      created,
      model: body.model,
      choices,
      usage: { completion_tokens: completionTokens },
    })
  }
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (chunk: object) => controller.enqueue(encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`))
      const chunk = (delta: object, reason: string | null) =>
        write({
          id,
          object: 'chat.completion.chunk',
          created,
          model: body.model,
          choices: [{ index: 0, delta, finish_reason: reason }],
        })
      call.on('data', (frame: Frame) => {
        if (frame.tokens !== undefined) chunk({ content: frame.tokens.text }, null)
        if (frame.finished !== undefined) chunk({}, 'length')
      })
      call.on('end', () => {
        controller.enqueue(encoder.encode('data: [DONE]\n\n'))
        controller.close()
      })
      call.on('error', (error) => controller.error(error))
    },
    cancel: () => call.cancel(),
  })
  return context.body(stream, 200, { 'content-type': 'text/event-stream' })
})

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (info) => process.stdout.write(`${info.port}\n`))
