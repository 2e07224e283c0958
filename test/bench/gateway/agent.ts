/** A real agent with the mock engine: the node of the gateway bench. Prints its address as the first line of stdout. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '@shoal/agent'
import { createMockEngine } from '@shoal/engine/testing'
import { demoModelId } from '@shoal/gguf'
import { createLog, systemClock } from '@shoal/runtime'

const [slots = '64', tokenIntervalMs = '0'] = process.argv.slice(2)
const home = await mkdtemp(join(tmpdir(), 'shoal-bench-'))
const log = createLog({ level: 'warn', name: 'bench-agent', pretty: true })
const agent = await startAgent({
  directories: { state: join(home, 'state'), models: join(home, 'models'), cache: join(home, 'cache') },
  host: '127.0.0.1',
  port: 0,
  announce: false,
  insecureLan: false,
  engine: createMockEngine({ clock: systemClock, tokenIntervalMs: Number(tokenIntervalMs), answerTokens: 100_000 }),
  log,
  clock: systemClock,
  drainMs: 0,
})
const command = { modelId: demoModelId, source: { kind: 'demo' }, contextTokens: 1024, slots: Number(slots) } as const
await agent.api.loadModel(command, () => {}, new AbortController().signal)
process.stdout.write(`${agent.address}\n`)
process.once('SIGTERM', () => {
  void agent[Symbol.asyncDispose]()
    .then(() => rm(home, { recursive: true, force: true }))
    .then(() => process.exit(0))
})
