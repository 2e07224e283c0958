/**
 * `npm run bench -- engine`: tokens per second through the whole stack (HTTP, gateway, gRPC, agent, engine child) beside node-llama-cpp
 * used directly, in turn, on one generated model of about 1 GB, one thread each, greedy, same prompt ids. What counts is the time in which all
 * streams decode, from the first token of the last to the last token of the first; the table also has whole requests, prompts included:
 * the engine cuts prompts into batches of about 100 ms so that others go on meanwhile, which costs a little of their speed.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { defaultSampling, modelId, requestId } from '@shoal/core'
import { readModelManifest, writeModel } from '@shoal/gguf'
import { createNodeClient } from '@shoal/protocol'
import { createLog } from '@shoal/runtime'
import { createParser } from 'eventsource-parser'
import { startShoal } from '../child.ts'
import { interleave, median, report, rounded } from '../report.ts'

const rounds = 5
const concurrencies = [1, 4, 8] as const
const tokensPerStream = 32
const slots = 8
const contextTokens = 256
const directProgram = fileURLToPath(new URL('./direct.ts', import.meta.url))
const home = await mkdtemp(join(tmpdir(), 'shoal-bench-'))

/** About 1 GB in Q8_0; kept between runs, for it takes a while to write. */
async function benchModel(): Promise<string> {
  const folder = join(tmpdir(), 'shoal-bench-models')
  const path = join(folder, 'bench-llama-1gb.gguf')
  if (existsSync(path)) return path
  await mkdir(folder, { recursive: true })
  await writeModel(
    {
      architecture: 'llama',
      name: 'bench 1 GB',
      seed: 1,
      weightType: 'Q8_0',
      contextTokens: 2048,
      layerCount: 18,
      embeddingLength: 2048,
      headCount: 16,
      headCountKv: 8,
      headLength: 128,
      feedForwardLength: 6144,
      vocabularySize: 16_000,
    },
    `${path}.part`,
  )
  await rename(`${path}.part`, path)
  return path
}

function startDirect(path: string) {
  const child = spawn(process.execPath, [directProgram, path, String(slots), String(contextTokens)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the direct engine ended')
    return value
  }
  return {
    ready: next(),
    async run(prompts: readonly (readonly number[])[]): Promise<Times> {
      child.stdin.write(`${JSON.stringify({ prompts, tokens: tokensPerStream })}\n`)
      return JSON.parse(await next()) as Times
    },
    close: () => child.kill('SIGKILL'),
  }
}

/** When each token of each stream came, in ms since the requests were sent. */
type Times = readonly (readonly number[])[]

/** Tokens per second while all streams decode. */
function decodeSpeed(times: Times): number {
  const fromMs = Math.max(...times.map((each) => each[0] ?? Number.NaN))
  const toMs = Math.min(...times.map((each) => each.at(-1) ?? Number.NaN))
  const tokens = times.flat().filter((ms) => ms > fromMs && ms <= toMs).length
  return tokens / ((toMs - fromMs) / 1000)
}

/** Tokens per second from sending the requests to the last token of the last. */
const requestSpeed = (times: Times): number => times.flat().length / (Math.max(...times.flat()) / 1000)

/** One streamed answer: when each of its chunks came. Every token of the generated model has text, so each is a chunk. */
async function chat(url: string, model: string, { content, startMs }: { content: string; startMs: number }): Promise<number[]> {
  const body = { model, stream: true, temperature: 0, max_tokens: tokensPerStream, messages: [{ role: 'user', content }] }
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (response.body === null || response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`)
  const times: number[] = []
  const parser = createParser({
    onEvent({ data }) {
      if (/"delta":\{"content":"[^"]/.test(data)) times.push(performance.now() - startMs)
    },
  })
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) parser.feed(piece)
  if (times.length !== tokensPerStream) throw new Error(`${times.length} chunks for ${tokensPerStream} tokens`)
  return times
}

const path = await benchModel()
const { fileBytes } = await readModelManifest(path)
const direct = startDirect(path)
try {
  await using agent = await startShoal(['agent', '--no-mdns', '--agent-port', '0', '--threads', '1'], {
    SHOAL_HOME: home,
  })
  const agentAddress = agent.firstLine.split(' ')[1] ?? ''
  await using gateway = await startShoal(['gateway', '--port', '0', '--no-mdns', '--peer', agentAddress], {
    SHOAL_HOME: join(home, 'gateway'),
  })
  const base = gateway.firstLine.replace(/^listening /, '').replace(/\/v1$/, '')
  const deploy = ['--gateway', base, 'deploy', path, '--context', String(contextTokens), '--slots', String(slots)]
  await using deployed = await startShoal(deploy)
  const model = deployed.firstLine.split(' ')[1] ?? ''
  await direct.ready
  await using node = createNodeClient({ address: agentAddress, log: createLog({ level: 'warn', name: 'bench' }) })

  /** The ids that the model's template makes of a prompt, as the engine reports them. */
  const promptIds = async (content: string, name: string): Promise<readonly number[]> => {
    let ids: readonly number[] = []
    const request = {
      requestId: requestId(name),
      modelId: modelId(model),
      epoch: 1,
      messages: [{ role: 'user', content }] as const,
      sampling: { ...defaultSampling, temperature: 0 },
      tokensMax: 1,
      thinking: false,
    }
    await node.generate(
      request,
      (event) => {
        if (event.kind === 'accepted') ids = event.promptTokenIds
      },
      new AbortController().signal,
    )
    return ids
  }
  let serial = 0
  const prompts = (count: number) => Array.from({ length: count }, () => `${++serial}: the sea?`)
  const throughStack = async (count: number): Promise<Times> => {
    const startMs = performance.now()
    return Promise.all(prompts(count).map((content) => chat(base, model, { content, startMs })))
  }
  const throughDirect = async (count: number): Promise<Times> => {
    const ids = await Promise.all(prompts(count).map((content, index) => promptIds(content, `bench-${serial}-${index}`)))
    return direct.run(ids)
  }
  const requests: Record<string, number[]> = {}
  const measure = (name: string, run: (count: number) => Promise<Times>, count: number) => async () => {
    const times = await run(count)
    requests[name] = [...(requests[name] ?? []), requestSpeed(times)]
    return decodeSpeed(times)
  }
  await throughDirect(slots)
  await throughStack(slots)
  const samples = await interleave(
    rounds,
    Object.fromEntries(
      concurrencies.flatMap((count) => [
        [`direct${count}`, measure(`direct${count}`, throughDirect, count)],
        [`stack${count}`, measure(`stack${count}`, throughStack, count)],
      ]),
    ),
  )
  const decode = (name: string) => median(samples[name] ?? [])
  const whole = (name: string) => median(requests[name] ?? [])
  report(
    `${(fileBytes / 1e9).toFixed(2)} GB llama in Q8_0, one thread, ${tokensPerStream} tokens a stream, medians of ${rounds} interleaved runs`,
    concurrencies.map((count) => ({
      streams: count,
      'direct tok/s': rounded(decode(`direct${count}`)),
      'stack tok/s': rounded(decode(`stack${count}`)),
      ratio: rounded(decode(`stack${count}`) / decode(`direct${count}`)),
      'direct with prompt': rounded(whole(`direct${count}`)),
      'stack with prompt': rounded(whole(`stack${count}`)),
      'ratio with prompt': rounded(whole(`stack${count}`) / whole(`direct${count}`)),
    })),
    {
      bench: 'engine',
      ratio: Object.fromEntries(concurrencies.map((count) => [count, rounded(decode(`stack${count}`) / decode(`direct${count}`))])),
    },
  )
} finally {
  direct.close()
  await rm(home, { recursive: true, force: true })
}
