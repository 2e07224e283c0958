import { type Agent, startAgent } from '@shoal/agent'
import type { Log } from '@shoal/core'
import { createLlamaEngine } from '@shoal/engine'
import { type ShoalDirectories, systemClock } from '@shoal/runtime'
import type { ServingOptions } from './serve.ts'

/** This machine's agent, as every command that serves models starts it. */
export function startThisAgent(options: ServingOptions, { directories, log }: { directories: ShoalDirectories; log: Log }): Promise<Agent> {
  const insecureLan = options.insecureLan === true
  return startAgent({
    directories,
    host: insecureLan ? '0.0.0.0' : '127.0.0.1',
    port: options.agentPort,
    announce: options.mdns && insecureLan,
    insecureLan,
    engine: createLlamaEngine({ log, clock: systemClock }),
    log,
    clock: systemClock,
    threads: options.threads ?? null,
  })
}
