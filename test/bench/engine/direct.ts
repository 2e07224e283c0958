/**
 * node-llama-cpp used directly, in a process of its own: one context, as many sequences as asked for, greedy. Reads lines
 * `{"prompts":[[ids]...],"tokens":n}` on stdin, answers each with the times of all tokens, a list for each stream, in ms since the order came.
 */
import { createInterface } from 'node:readline'
import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp'

interface Order {
  readonly prompts: readonly (readonly number[])[]
  readonly tokens: number
}

const [path = '', slots = '8', contextTokens = '256'] = process.argv.slice(2)
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.error, progressLogs: false })
const model = await llama.loadModel({ modelPath: path })
const context = await model.createContext({ sequences: Number(slots), contextSize: Number(contextTokens), threads: 1, batchSize: 512 })
const sequences = Array.from({ length: Number(slots) }, () => context.getSequence())
process.stdout.write('ready\n')

for await (const line of createInterface({ input: process.stdin })) {
  const { prompts, tokens } = JSON.parse(line) as Order
  const startMs = performance.now()
  const times = await Promise.all(
    prompts.map(async (prompt, index) => {
      const sequence = sequences[index]
      if (sequence === undefined) throw new Error(`no sequence ${index}`)
      await sequence.clearHistory()
      const timesMs: number[] = []
      for await (const _ of sequence.evaluate([...prompt] as Token[], { temperature: 0, yieldEogToken: true })) {
        if (timesMs.push(performance.now() - startMs) >= tokens) break
      }
      return timesMs
    }),
  )
  process.stdout.write(`${JSON.stringify(times)}\n`)
}
