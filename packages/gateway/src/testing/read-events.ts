export interface Chunk {
  readonly id: string
  readonly object: string
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly delta: { readonly role?: string; readonly content?: string }
    readonly logprobs: null
    readonly finish_reason: string | null
  }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
  readonly error?: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string }
}

export interface EventStream {
  /** Parsed `data:` events without `[DONE]`. */
  readonly chunks: readonly Chunk[]
  readonly comments: readonly string[]
  readonly isDone: boolean
  /** All content deltas joined. */
  readonly text: string
}

/** Takes a body of server-sent events apart; throws on anything that is neither a `data:` line nor a comment. */
export function readEvents(body: string): EventStream {
  const chunks: Chunk[] = []
  const comments: string[] = []
  let isDone = false
  if (body !== '' && !body.endsWith('\n\n')) throw new Error(`the stream ends inside an event: ${body.slice(-80)}`)
  for (const event of body.split('\n\n').slice(0, -1)) {
    if (isDone) throw new Error(`after [DONE]: ${event}`)
    if (event.startsWith(': ')) comments.push(event.slice(2))
    else if (event === 'data: [DONE]') isDone = true
    else if (event.startsWith('data: ') && !event.includes('\n')) chunks.push(JSON.parse(event.slice(6)) as Chunk)
    else throw new Error(`not an event: ${event}`)
  }
  const text = chunks.map((chunk) => chunk.choices?.[0]?.delta.content ?? '').join('')
  return { chunks, comments, isDone, text }
}
