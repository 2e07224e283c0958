/**
 * `npm run bench -- gateway`: the shipped gateway beside a bare hono + grpc-js relay, over one real agent with the mock engine, in turn,
 * on the same machine in one run.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { defaultSampling, modelId, requestId } from '@shoal/core'
import { createNodeClient } from '@shoal/protocol'
import { createLog } from '@shoal/runtime'
import { type BenchChild, cpuSeconds, residentMib, startProgram, startShoal } from '../child.ts'
import { interleave, median, quantile, report, rounded } from '../report.ts'
import { connectRaw, createClient, throughput } from './load.ts'

const rounds = 5
const model = 'shoal-demo'
const agentProgram = fileURLToPath(new URL('./agent.ts', import.meta.url))
const relayProgram = fileURLToPath(new URL('./relay.ts', import.meta.url))
const home = await mkdtemp(join(tmpdir(), 'shoal-bench-'))

async function startShippedGateway(agentAddress: string): Promise<BenchChild & { readonly port: number }> {
  const args = ['gateway', '--port', '0', '--no-mdns', '--peer', agentAddress]
  const child = await startShoal(args, { SHOAL_HOME: home })
  const port = Number(/:(\d+)\/v1$/.exec(child.firstLine)?.[1])
  for (let left = 100; ; left--) {
    const { status } = await fetch(`http://127.0.0.1:${port}/readyz`)
    if (status === 200) return { ...child, port }
    if (left === 0) throw new Error('the gateway never became ready')
    await delay(50)
  }
}

async function measureThroughput() {
  await using agent = await startProgram([agentProgram, '64', '0'])
  await using gateway = await startShippedGateway(agent.firstLine)
  await using relay = await startProgram([relayProgram, agent.firstLine])
  const client = createClient(model)
  const ports = { shipped: gateway.port, bare: Number(relay.firstLine) }
  const unary = (port: number) => () => throughput(client, { port, stream: false, tokensMax: 4 }, { clients: 32, total: 3_000 })
  const tokens = (port: number) => async () =>
    500 * (await throughput(client, { port, stream: true, tokensMax: 500 }, { clients: 32, total: 128 }))
  // Warm-up: the compilers of all three processes.
  for (const port of Object.values(ports)) {
    await unary(port)()
    await tokens(port)()
  }
  const perSecond = await interleave(rounds, {
    unaryShipped: unary(ports.shipped),
    unaryBare: unary(ports.bare),
    tokensShipped: tokens(ports.shipped),
    tokensBare: tokens(ports.bare),
  })
  const latency = await measureLatency(agent.firstLine, ports.shipped)
  client.close()
  return { perSecond, latency }
}

/** One client, one token: time through the gateway and time of the same call to the agent, in turn. */
async function measureLatency(agentAddress: string, gatewayPort: number) {
  const client = await connectRaw(model, gatewayPort)
  await using direct = createNodeClient({ address: agentAddress, log: createLog({ level: 'warn', name: 'bench' }) })
  const neverAborted = new AbortController().signal
  const samples: { throughGateway: number[]; direct: number[] } = { throughGateway: [], direct: [] }
  const calls = 2_000
  for (let call = -200; call < calls; call++) {
    const gatewayMs = await timed(() => client.ask())
    const request = {
      requestId: requestId(`bench-${call}`),
      modelId: modelId(model),
      epoch: 1,
      messages: [{ role: 'user', content: 'Tell me something.' }] as const,
      sampling: defaultSampling,
      tokensMax: 1,
      thinking: false,
    }
    const directMs = await timed(() => direct.generate(request, () => {}, neverAborted))
    if (call < 0) continue
    samples.throughGateway.push(gatewayMs)
    samples.direct.push(directMs)
  }
  client.close()
  return samples
}

async function timed(run: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await run()
  return performance.now() - startMs
}

async function measureOpenStreams(count: number): Promise<number> {
  await using agent = await startProgram([agentProgram, String(count), '100'])
  await using gateway = await startShippedGateway(agent.firstLine)
  const client = createClient(model)
  const streams = await Promise.all(Array.from({ length: count }, () => client.open({ port: gateway.port, stream: true, tokensMax: 900 })))
  let peak = 0
  for (let second = 0; second < 10; second++) {
    await delay(1_000)
    peak = Math.max(peak, residentMib(gateway.pid))
  }
  for (const stream of streams) stream.close()
  client.close()
  return peak
}

async function measureIdleAgent() {
  const args = ['agent', '--no-mdns', '--agent-port', '0', '--name', 'bench-idle']
  await using agent = await startShoal(args, { SHOAL_HOME: home })
  await delay(5_000)
  const before = cpuSeconds(agent.pid)
  await delay(20_000)
  return { rssMib: residentMib(agent.pid), cpuPercent: ((cpuSeconds(agent.pid) - before) / 20) * 100 }
}

try {
  const idle = await measureIdleAgent()
  const rssMib1000 = await measureOpenStreams(1_000)
  const { perSecond, latency } = await measureThroughput()
  const ratio = (shipped: readonly number[], bare: readonly number[]) => median(shipped) / median(bare)
  const addedMsP50 = median(latency.throughGateway) - median(latency.direct)
  report(
    `medians of ${rounds} interleaved runs`,
    [
      {
        what: 'unary requests/s, 32 clients',
        shipped: rounded(median(perSecond.unaryShipped)),
        bare: rounded(median(perSecond.unaryBare)),
      },
      { what: 'tokens/s, 32 streams', shipped: rounded(median(perSecond.tokensShipped)), bare: rounded(median(perSecond.tokensBare)) },
      {
        what: 'ms p50, 1 client (bare = agent direct)',
        shipped: rounded(median(latency.throughGateway)),
        bare: rounded(median(latency.direct)),
      },
      { what: 'ms p99, 1 client', shipped: rounded(quantile(latency.throughGateway, 0.99)), bare: rounded(quantile(latency.direct, 0.99)) },
      { what: 'MiB with 1,000 open streams', shipped: rounded(rssMib1000), bare: '' },
      { what: 'MiB of an idle agent', shipped: rounded(idle.rssMib), bare: '' },
      { what: '% CPU of an idle agent', shipped: rounded(idle.cpuPercent), bare: '' },
    ],
    {
      bench: 'gateway',
      unaryRatio: rounded(ratio(perSecond.unaryShipped, perSecond.unaryBare)),
      tokenRatio: rounded(ratio(perSecond.tokensShipped, perSecond.tokensBare)),
      addedMsP50: rounded(addedMsP50),
      rssMib1000: rounded(rssMib1000),
      agentRssMib: rounded(idle.rssMib),
      agentCpuPercent: rounded(idle.cpuPercent),
    },
  )
} finally {
  await rm(home, { recursive: true, force: true })
}
