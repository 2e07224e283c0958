import { getLlama, type Llama, type LlamaContextSequence, LlamaLogLevel, type LlamaModel, type Token } from 'node-llama-cpp'

/** node-llama-cpp's prebuilt CPU build with one thread: what the engine package runs, used directly. */
export const startLlama = (): Promise<Llama> => getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.error })

export interface DecodeOptions {
  readonly tokensMax: number
  /** 0 = greedy. */
  readonly temperature?: number
  readonly seed?: number
}

/** The tokens that follow `prompt` (special tokens are parsed in it) until the model ends its turn. */
export async function decode(sequence: LlamaContextSequence, prompt: string | readonly Token[], options: DecodeOptions): Promise<Token[]> {
  const { tokensMax, temperature = 0, seed = 1 } = options
  await sequence.clearHistory()
  const tokens = typeof prompt === 'string' ? sequence.model.tokenize(prompt, true) : [...prompt]
  const out: Token[] = []
  for await (const token of sequence.evaluate(tokens, { temperature, seed })) {
    out.push(token)
    if (out.length >= tokensMax) break
  }
  return out
}

export const turn = (question: string): string => `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`

/** Loads a model with one context of `sequences` sequences; disposes with the model. */
export async function loadForTest(
  llama: Llama,
  path: string,
  sequences = 1,
): Promise<{ model: LlamaModel; sequences: LlamaContextSequence[] }> {
  const model = await llama.loadModel({ modelPath: path })
  const context = await model.createContext({ contextSize: 1024, sequences, threads: 1 })
  return { model, sequences: Array.from({ length: sequences }, () => context.getSequence()) }
}
