import { startGateway } from '@shoal/gateway'
import { createMetrics, createShutdown, systemClock } from '@shoal/runtime'
import { directoriesOf, type HostOptions, logOf, untilAborted, warnInsecureLan } from './serve.ts'

/** `shoal gateway`: one URL for all agents, in the foreground until a signal. */
export async function runGatewayCommand(options: HostOptions & { readonly port: number; readonly host: string }): Promise<void> {
  const log = logOf(options, 'gateway')
  const { state } = await directoriesOf(options)
  using shutdown = createShutdown({ log })
  if (options.insecureLan === true) warnInsecureLan()
  await using gateway = await startGateway({
    host: options.host,
    port: options.port,
    peers: options.peer ?? [],
    mdns: options.mdns,
    insecureLan: options.insecureLan === true,
    stateDir: state,
    log,
    metrics: createMetrics({ processMetrics: true }),
    clock: systemClock,
  })
  process.stdout.write(`listening ${gateway.url}/v1\n`)
  await untilAborted(shutdown.signal)
}
