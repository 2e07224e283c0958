import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Template } from '@huggingface/jinja'
import type { ChatMessage } from '@shoal/core'

export interface DirectAnswer {
  readonly promptTokenIds: number[]
  readonly tokenIds: number[]
  readonly text: string
  /** How many tokens come before the first near tie: from there on another batch size may rightly round to another token. */
  readonly decidedTokens: number
}

export interface DirectOptions {
  readonly path: string
  readonly contextTokens: number
  readonly tokensMax: number
  readonly conversations: readonly (readonly ChatMessage[])[]
}

/** Log-probabilities closer than this count as a tie; the noise of other batch sizes on half precision is a tenth of it. */
const tieWidth = 0.02

/** Greedy answers of node-llama-cpp used directly, without anything of ours, in a process of its own. */
export async function answerDirectly(options: DirectOptions): Promise<DirectAnswer[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(options)], {
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(stdout)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { getLlama } = await import('node-llama-cpp')
  const { path, contextTokens, tokensMax, conversations }: DirectOptions = JSON.parse(process.argv[2] ?? '')
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1 })
  const model = await llama.loadModel({ modelPath: path })
  const context = await model.createContext({ contextSize: contextTokens, threads: 1 })
  const sequence = context.getSequence()
  const template = new Template(String(model.fileInfo.metadata.tokenizer?.chat_template))
  const answers: DirectAnswer[] = []
  for (const messages of conversations) {
    const rendered = template.render({ messages, add_generation_prompt: true, enable_thinking: false })
    const promptTokenIds = model.tokenize(rendered, true)
    await sequence.clearHistory()
    const tokenIds = []
    let decidedTokens: number | null = null
    for await (const { token, probabilities } of sequence.evaluateWithMetadata(
      promptTokenIds,
      { probabilities: true },
      { temperature: 0 },
    )) {
      const [first = 1, second = 0] = probabilities.values()
      if (Math.log(first / second) < tieWidth) decidedTokens ??= tokenIds.length
      if (tokenIds.push(token) >= tokensMax) break
    }
    const text = model.detokenize(tokenIds, false, promptTokenIds.slice(-3))
    answers.push({ promptTokenIds, tokenIds, text, decidedTokens: decidedTokens ?? tokenIds.length })
  }
  process.stdout.write(JSON.stringify(answers), () => process.exit(0))
}
