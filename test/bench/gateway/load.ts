import { Agent, type IncomingMessage, request } from 'node:http'

export interface ChatLoad {
  readonly port: number
  readonly stream: boolean
  readonly tokensMax: number
}

export interface Client {
  /** One request to its end; rejects for anything but a whole answer. */
  ask(load: ChatLoad): Promise<void>
  /** Opens a stream and leaves it open; resolves with its first bytes. */
  open(load: ChatLoad): Promise<{ close(): void }>
  close(): void
}

/** A lean HTTP client with kept-alive connections: the load generator must not be what is measured. */
export function createClient(model: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const send = ({ port, stream, tokensMax }: ChatLoad): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({ model, stream, max_tokens: tokensMax, messages: [{ role: 'user', content: 'Tell me something.' }] })
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const call = request({ agent, host: '127.0.0.1', port, method: 'POST', path: '/v1/chat/completions', headers }, resolve)
      call.on('error', reject)
      call.end(body)
    })
  return {
    async ask(load) {
      const response = await send(load)
      let tail = ''
      for await (const chunk of response as AsyncIterable<Buffer>) tail = (tail + chunk.toString('latin1')).slice(-2_000)
      const whole = load.stream ? tail.endsWith('data: [DONE]\n\n') : tail.includes(`"completion_tokens":${load.tokensMax}`)
      if (response.statusCode !== 200 || !whole) throw new Error(`not a whole answer (${response.statusCode}): ${tail.slice(-300)}`)
    },
    async open(load) {
      const response = await send(load)
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
      await new Promise<void>((resolve, reject) => {
        response.once('data', () => resolve())
        response.once('error', reject)
      })
      response.on('error', () => {})
      response.resume()
      return { close: () => response.destroy() }
    },
    close: () => agent.destroy(),
  }
}

/** Keeps `clients` requests under way until `total` are answered; answers requests per second. */
export async function throughput(client: Client, load: ChatLoad, { clients, total }: { clients: number; total: number }): Promise<number> {
  let left = total
  const startMs = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left-- > 0) await client.ask(load)
    }),
  )
  return total / ((performance.now() - startMs) / 1000)
}
