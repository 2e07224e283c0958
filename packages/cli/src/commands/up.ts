import { setTimeout as delay } from 'node:timers/promises'
import { startAgent } from '@shoal/agent'
import { type ModelId, modelId } from '@shoal/core'
import { createLlamaEngine } from '@shoal/engine'
import { type Gateway, startGateway } from '@shoal/gateway'
import { demoModelId } from '@shoal/gguf'
import { createMetrics, createShutdown, systemClock } from '@shoal/runtime'
import { createProgressReport } from '../output/progress.ts'
import { directoriesOf, logOf, type ServingOptions, untilAborted, warnInsecureLan } from './serve.ts'

export interface UpOptions extends ServingOptions {
  readonly port: number
  readonly join?: boolean
}

/** `shoal up`: a gateway and an agent on this machine, serving the best model it has, until a signal. */
export async function runUp(options: UpOptions): Promise<void> {
  const log = logOf(options, 'shoal')
  const directories = await directoriesOf(options)
  using shutdown = createShutdown({ log })
  const insecureLan = options.insecureLan === true
  if (insecureLan) warnInsecureLan()
  const report = createProgressReport()
  const agentOptions = {
    directories,
    host: insecureLan ? '0.0.0.0' : '127.0.0.1',
    port: options.agentPort,
    announce: options.mdns && insecureLan,
    insecureLan,
    engine: createLlamaEngine({ log, clock: systemClock }),
    log,
    clock: systemClock,
    threads: options.threads ?? null,
  }
  await using agent = await startAgent(agentOptions)
  await using gateway = await startGateway({
    host: '127.0.0.1',
    port: options.port,
    peers: [`127.0.0.1:${agent.port}`, ...(options.peer ?? [])],
    mdns: options.mdns && insecureLan,
    insecureLan,
    stateDir: directories.state,
    log,
    metrics: createMetrics({ processMetrics: true }),
    clock: systemClock,
  })
  const wanted = modelId(demoModelId)
  await agent.api.loadModel(
    { modelId: wanted, source: { kind: 'demo' }, contextTokens: options.context ?? null, slots: options.slots ?? null },
    (state) => report.update(`loading ${wanted}`, state.progress),
    shutdown.signal,
  )
  report.done()
  const nodes = await untilServed(gateway, wanted, shutdown.signal)
  process.stdout.write(`ready ${gateway.url}/v1 model=${wanted} nodes=${nodes}\n`)
  await untilAborted(shutdown.signal)
}

/** Waits until the gateway sees the model ready; answers the number of connected nodes. */
async function untilServed(gateway: Gateway, wanted: ModelId, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { nodes } = gateway.view()
    if (nodes.some((node) => node.state.models.some((model) => model.modelId === wanted && model.status === 'ready'))) return nodes.length
    await delay(50, undefined, { signal })
  }
}
