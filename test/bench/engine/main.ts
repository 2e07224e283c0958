/**
 * `npm run bench -- engine`: tokens per second through the whole stack (HTTP, gateway, gRPC, agent, engine child) beside node-llama-cpp
 * used directly, in turn, on one generated model of about 1 GB, one thread each, greedy, same prompt ids.
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
import { startShoal } from '../child.ts'
import { interleave, median, report, rounded } from '../report.ts'

const rounds = 5
const concurrencies = [1, 4, 8] as const
const tokensPerStream = 24
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
    async run(prompts: readonly (readonly number[])[]): Promise<number> {
      child.stdin.write(`${JSON.stringify({ prompts, tokens: tokensPerStream })}\n`)
      const { seconds, tokens } = JSON.parse(await next()) as { seconds: number; tokens: number }
      return tokens / seconds
    },
    close: () => child.kill('SIGKILL'),
  }
}

async function chat(base: string, model: string, content: string): Promise<number> {
  const body = {
    model,
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
    max_tokens: tokensPerStream,
    messages: [{ role: 'user', content }],
  }
  const response = await fetch(`${base}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  const count = /"completion_tokens":(\d+)/.exec(text)?.[1]
  if (count === undefined) throw new Error(`no usage: ${text.slice(-300)}`)
  return Number(count)
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
  const prompts = (count: number) => Array.from({ length: count }, () => `${++serial} is my number. Say something about the sea.`)
  const throughStack = async (count: number): Promise<number> => {
    const contents = prompts(count)
    const startMs = performance.now()
    const counts = await Promise.all(contents.map((content) => chat(base, model, content)))
    return counts.reduce((sum, each) => sum + each, 0) / ((performance.now() - startMs) / 1000)
  }
  const throughDirect = async (count: number): Promise<number> => {
    const ids = await Promise.all(prompts(count).map((content, index) => promptIds(content, `bench-${serial}-${index}`)))
    return direct.run(ids)
  }
  const variants = Object.fromEntries(
    concurrencies.flatMap((count) => [
      [`direct${count}`, () => throughDirect(count)],
      [`stack${count}`, () => throughStack(count)],
    ]),
  )
  for (const variant of Object.values(variants)) await variant()
  const samples = await interleave(rounds, variants)
  const of = (name: string) => median(samples[name] ?? [])
  report(
    `${(fileBytes / 1e9).toFixed(2)} GB llama in Q8_0, one thread, ${tokensPerStream} tokens a stream, medians of ${rounds} interleaved runs`,
    concurrencies.map((count) => ({
      concurrency: count,
      'direct tok/s': rounded(of(`direct${count}`)),
      'stack tok/s': rounded(of(`stack${count}`)),
      ratio: rounded(of(`stack${count}`) / of(`direct${count}`)),
    })),
    {
      bench: 'engine',
      ratio: Object.fromEntries(concurrencies.map((count) => [count, rounded(of(`stack${count}`) / of(`direct${count}`))])),
    },
  )
} finally {
  direct.close()
  await rm(home, { recursive: true, force: true })
}
