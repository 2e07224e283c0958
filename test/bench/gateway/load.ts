import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'

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

/**
 * One connection without an HTTP library: writes the same unary request again and again and waits for the whole answer. For latency, where
 * the client's own work would be counted as the gateway's.
 */
export async function connectRaw(model: string, port: number): Promise<{ ask(): Promise<void>; close(): void }> {
  const body = JSON.stringify({ model, max_tokens: 1, messages: [{ role: 'user', content: 'Tell me something.' }] })
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`
  const request = Buffer.from(`${head}\r\n\r\n${body}`)
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  let text = ''
  let done: () => void = () => {}
  let failed: (error: Error) => void = () => {}
  socket.on('error', (error) => failed(error))
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
    const end = text.indexOf('\r\n\r\n')
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
    if (end < 0 || length === undefined || text.length < end + 4 + Number(length)) return
    const answer = text
    text = ''
    if (answer.startsWith('HTTP/1.1 200 ') && answer.includes('"completion_tokens":1')) done()
    else failed(new Error(`not a whole answer: ${answer.slice(-300)}`))
  })
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        done = resolve
        failed = reject
        socket.write(request)
      }),
    close: () => socket.destroy(),
  }
}
