import { createShutdown } from '@shoal/runtime'
import { directoriesOf, logOf, type ServingOptions, unlessAborted, untilAborted, warnInsecureLan } from './serve.ts'
import { startThisAgent } from './serve-agent.ts'
import { serveStartModel } from './start-model.ts'

/**
 * `shoal agent`: this machine serves models for a gateway, in the foreground until a signal. Loads nothing before the gateway asks, for a fleet
 * is planned as a whole, unless `--model` names one (`auto`: the best for this machine).
 */
export async function runAgentCommand(options: ServingOptions): Promise<void> {
  const log = logOf(options, 'agent')
  const directories = await directoriesOf(options)
  using shutdown = createShutdown({ log })
  if (options.insecureLan === true) warnInsecureLan()
  await using agent = await startThisAgent(options, { directories, log })
  process.stdout.write(`agent ${agent.address} node=${agent.nodeId}\n`)
  await unlessAborted(shutdown.signal, async () => {
    if (options.model !== undefined) process.stdout.write(`serving ${await serveStartModel(agent, options, shutdown.signal)}\n`)
    await untilAborted(shutdown.signal)
  })
}
