/** A real agent with the mock engine: the node of the gateway bench. Prints its address as the first line of stdout. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAgent } from '@shoal/agent'
import type { Clock } from '@shoal/core'
import { createMockEngine } from '@shoal/engine/testing'
import { demoModelId } from '@shoal/gguf'
import { createLog, systemClock } from '@shoal/runtime'

/** Node's timers round up to a whole millisecond, which would drown the latency that is measured: "at once" is the next turn of the event loop. */
const mockClock: Clock = {
  ...systemClock,
  after(delayMs, run) {
    if (delayMs > 0) return systemClock.after(delayMs, run)
    const immediate = setImmediate(run)
    return () => clearImmediate(immediate)
  },
}

const [slots = '64', tokenIntervalMs = '0'] = process.argv.slice(2)
const home = await mkdtemp(join(tmpdir(), 'shoal-bench-'))
const log = createLog({ level: 'warn', name: 'bench-agent', pretty: true })
const agent = await startAgent({
  directories: { state: join(home, 'state'), models: join(home, 'models'), cache: join(home, 'cache') },
  host: '127.0.0.1',
  port: 0,
  announce: false,
  insecureLan: false,
  engine: createMockEngine({ clock: mockClock, tokenIntervalMs: Number(tokenIntervalMs), answerTokens: 100_000 }),
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
