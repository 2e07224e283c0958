import { setTimeout as delay } from 'node:timers/promises'
import type { ModelId } from '@shoal/core'
import { type Gateway, startGateway } from '@shoal/gateway'
import { createMetrics, createShutdown, systemClock } from '@shoal/runtime'
import { runAgentCommand } from './agent.ts'
import { findOtherGateway, offerToJoin } from './join.ts'
import { directoriesOf, logOf, type ServingOptions, unlessAborted, untilAborted, warnInsecureLan } from './serve.ts'
import { startThisAgent } from './serve-agent.ts'
import { serveStartModel } from './start-model.ts'

export interface UpOptions extends ServingOptions {
  readonly port: number
  readonly join?: boolean
}

/** `shoal up`: a gateway and an agent on this machine, serving the best model it has, until a signal. */
export async function runUp(options: UpOptions): Promise<void> {
  const log = logOf(options, 'shoal')
  const other = options.mdns ? await findOtherGateway(log) : null
  if (other !== null && (await offerToJoin(other, options))) return runAgentCommand(options)

  const directories = await directoriesOf(options)
  using shutdown = createShutdown({ log })
  const insecureLan = options.insecureLan === true
  if (insecureLan) warnInsecureLan()
  await using agent = await startThisAgent(options, { directories, log })
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
  await unlessAborted(shutdown.signal, async () => {
    const modelId = await serveStartModel(agent, options, shutdown.signal)
    const nodes = await untilServed(gateway, modelId, shutdown.signal)
    process.stdout.write(`ready ${gateway.url}/v1 model=${modelId} nodes=${nodes}\n`)
    await untilAborted(shutdown.signal)
  })
}

/** Waits until the gateway sees the model ready; answers the number of connected nodes. */
async function untilServed(gateway: Gateway, modelId: ModelId, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { nodes } = gateway.view()
    if (nodes.some((node) => node.state.models.some((model) => model.modelId === modelId && model.status === 'ready'))) return nodes.length
    await delay(50, undefined, { signal })
  }
}
