import { createInterface } from 'node:readline/promises'
import { ShoalError } from '@shoal/core'
import { createParser } from 'eventsource-parser'
import { type GlobalOptions, gatewayOf } from './context.ts'

export interface ChatOptions extends GlobalOptions {
  readonly model: string
  readonly system?: string
  readonly maxTokens?: number
  readonly temperature?: number
}

interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** `shoal chat [PROMPT]`: one answer for a prompt (or standard input), or a conversation on a terminal. */
export async function runChat(prompt: string | undefined, options: ChatOptions): Promise<void> {
  const history: Message[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }]
  const once = prompt ?? (process.stdin.isTTY ? undefined : await readStdin())
  if (once !== undefined) {
    if (once.trim() === '')
      throw new ShoalError({ code: 'USAGE', message: 'The prompt is empty.', remedy: 'Write one: shoal chat "Hello"' })
    await answer(history, once, options, new AbortController().signal)
    return
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  process.stderr.write('Ctrl-C stops an answer, Ctrl-D ends.\n')
  try {
    for (;;) {
      const question = await lines.question('> ')
      if (question.trim() === '') continue
      const stop = new AbortController()
      const onInterrupt = () => stop.abort()
      lines.once('SIGINT', onInterrupt)
      await answer(history, question, options, stop.signal).catch((thrown: unknown) => {
        const error = ShoalError.from(thrown)
        if (error.code !== 'CANCELLED') process.stderr.write(`shoal: ${error.message} ${error.remedy}\n`.replace(/ \n$/, '\n'))
      })
      lines.off('SIGINT', onInterrupt)
    }
  } catch (thrown) {
    // readline rejects the open question when its input ends: that is how a conversation ends.
    if (!(thrown instanceof Error && thrown.name === 'AbortError')) throw thrown
  } finally {
    lines.close()
  }
}

/** Question and answer join the history only when there is an answer: what failed can be asked again. */
async function answer(history: Message[], question: string, options: ChatOptions, signal: AbortSignal): Promise<void> {
  const asked: Message = { role: 'user', content: question }
  const body = {
    model: options.model,
    messages: [...history, asked],
    stream: true,
    ...(options.maxTokens === undefined ? {} : { max_tokens: options.maxTokens }),
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  }
  const response = await gatewayOf(options).open('/v1/chat/completions', body, signal)
  if (response.body === null) throw new ShoalError({ code: 'INTERNAL', message: 'The gateway answered without a body.' })
  let text = ''
  let ended = false
  let failure: ShoalError | null = null
  const parser = createParser({
    onEvent({ data }) {
      if (data === '[DONE]') {
        ended = true
        return
      }
      const chunk = JSON.parse(data) as { error?: { message: string }; choices?: { delta: { content?: string } }[] }
      if (chunk.error !== undefined) failure = new ShoalError({ code: 'NODE_LOST', message: chunk.error.message, remedy: '' })
      const piece = chunk.choices?.[0]?.delta.content ?? ''
      text += piece
      process.stdout.write(piece)
    },
  })
  try {
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) parser.feed(piece)
  } catch (cause) {
    if (!signal.aborted) throw new ShoalError({ code: 'NODE_LOST', message: 'The gateway cut the answer.', cause })
  }
  process.stdout.write('\n')
  if (failure !== null) throw failure
  if (text !== '') history.push(asked, { role: 'assistant', content: text })
  if (signal.aborted) return
  if (!ended) throw new ShoalError({ code: 'NODE_LOST', message: 'The answer ended without its end mark: it is not complete.' })
}

async function readStdin(): Promise<string> {
  let text = ''
  for await (const piece of process.stdin.setEncoding('utf8')) text += piece
  return text
}
