import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { defaultSampling, type Engine, type LoadModelCommand, modelId, type NodeState, requestId } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { createMockEngine } from '@shoal/engine/testing'
import { createFakeNodeProfile } from '@shoal/hardware/testing'
import type { MembershipOptions } from '@shoal/membership'
import { createNodeClient } from '@shoal/protocol'
import { systemClock } from '@shoal/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Agent, type AgentOptions, startAgent } from './agent.ts'
import type { AgentParts } from './agent-parts.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'shoal-agent-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const { signal } = new AbortController()
const demo = modelId('shoal-demo')
const loadDemo: LoadModelCommand = { modelId: demo, source: { kind: 'demo' }, contextTokens: 256, slots: 2 }
const request = {
  requestId: requestId('r'),
  modelId: demo,
  epoch: 1,
  messages: [{ role: 'user', content: 'hello' }],
  sampling: defaultSampling,
  tokensMax: null,
  thinking: false,
} as const

/** A whole agent on loopback around the mock engine; what it says by mDNS is kept, not sent. */
async function start(options: Partial<AgentOptions> = {}, parts: Partial<AgentParts> = {}) {
  const log = createFakeLog()
  const announced: MembershipOptions[] = []
  const said: string[] = []
  const agent = await startAgent(
    {
      directories: { state: path.join(home, 'state'), models: path.join(home, 'models'), cache: path.join(home, 'cache') },
      host: '127.0.0.1',
      port: 0,
      announce: true,
      insecureLan: false,
      engine: createMockEngine({ clock: systemClock, answerTokens: 8 }),
      log,
      clock: systemClock,
      ...options,
    },
    {
      profile: async () => createFakeNodeProfile(),
      freshProfile: async () => createFakeNodeProfile(),
      estimateMemory: async () => null,
      startMembership: async (wanted) => {
        announced.push(wanted)
        return { candidates: [], multicast: { kind: 'unused' }, [Symbol.asyncDispose]: async () => void said.push('goodbye') }
      },
      ...parts,
    },
  )
  return { agent, log, announced, said }
}

const clientOf = (agent: Agent) => createNodeClient({ address: agent.address, log: createFakeLog() })

describe('agent', () => {
  test('announces the port that really is open, under its id', async () => {
    const { agent, announced } = await start()
    await using _ = agent
    expect(announced[0]?.announce).toEqual({ role: 'agent', id: agent.nodeId, port: agent.port })
    expect(agent.address).toBe(`127.0.0.1:${agent.port}`)
  })

  test('describes itself and what lies in its models folder', async () => {
    const { agent } = await start()
    await using _ = agent
    await using client = clientOf(agent)
    const description = await client.describe(signal)
    expect(description).toMatchObject({ nodeId: agent.nodeId, protocolVersion: 1, localModels: [], profile: { hostname: 'fake' } })
  })

  test('loads the demo model and streams an answer', async () => {
    const { agent } = await start()
    await using _ = agent
    await using client = clientOf(agent)
    expect(await client.loadModel(loadDemo, () => undefined, signal)).toMatchObject({ status: 'ready', isDemo: true, slotsTotal: 2 })
    const kinds: string[] = []
    await client.generate(request, (event) => kinds.push(event.kind), signal)
    expect(kinds[0]).toBe('accepted')
    expect(kinds.at(-1)).toBe('finished')
  })

  test('a client that goes away in the middle frees its slot', async () => {
    const { agent } = await start({ engine: createMockEngine({ clock: systemClock, tokenIntervalMs: 1000 }) })
    await using _ = agent
    await using client = clientOf(agent)
    await client.loadModel({ ...loadDemo, slots: 1 }, () => undefined, signal)
    for (let round = 0; round < 5; round++) {
      const abort = new AbortController()
      const ended = client.generate(request, () => abort.abort(), abort.signal)
      await expect(ended).rejects.toMatchObject({ code: 'CANCELLED' })
      await expect.poll(async () => (await stateOf(agent)).models[0]?.slotsUsed).toBe(0)
    }
  })

  test('a watcher sees the load come, and the end of the node as the end of its stream', async () => {
    const { agent } = await start()
    await using client = clientOf(agent)
    const states: NodeState[] = []
    const watch = client.watch({ heartbeatMs: 1000 }, (state) => states.push(state), signal)
    await client.loadModel(loadDemo, () => undefined, signal)
    await expect.poll(() => states.at(-1)?.models[0]?.status).toBe('ready')
    await agent[Symbol.asyncDispose]()
    await watch
    expect(states.at(-1)).toMatchObject({ nodeId: agent.nodeId, draining: true })
    const versions = states.map((state) => state.version)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
  })

  test('leaving says goodbye, closes the port, and may be asked for twice', async () => {
    const { agent, said } = await start()
    await Promise.all([agent[Symbol.asyncDispose](), agent[Symbol.asyncDispose]()])
    expect(said).toEqual(['goodbye'])
    await using client = clientOf(agent)
    await expect(client.describe(signal)).rejects.toMatchObject({ code: 'NODE_LOST' })
  })

  test('leaving lets a running answer end', async () => {
    const { agent } = await start({ engine: createMockEngine({ clock: systemClock, answerTokens: 5, tokenIntervalMs: 20 }) })
    await using client = clientOf(agent)
    await client.loadModel(loadDemo, () => undefined, signal)
    const kinds: string[] = []
    const accepted = Promise.withResolvers<void>()
    const answer = client.generate(
      request,
      (event) => {
        kinds.push(event.kind)
        accepted.resolve()
      },
      signal,
    )
    await accepted.promise
    await agent[Symbol.asyncDispose]()
    await answer
    expect(kinds.at(-1)).toBe('finished')
  })

  test('a restarted agent is the same node in another incarnation', async () => {
    const first = await start()
    const state = await stateOf(first.agent)
    await first.agent[Symbol.asyncDispose]()
    const second = await start()
    await using _ = second.agent
    const again = await stateOf(second.agent)
    expect(again.nodeId).toBe(state.nodeId)
    expect(again.incarnation).not.toBe(state.incarnation)
  })

  test('a second agent on the same state folder is refused, and may start when the first has left', async () => {
    const first = await start()
    await expect(start()).rejects.toMatchObject({ code: 'STATE_INVALID', remedy: expect.stringContaining('--name') })
    await first.agent[Symbol.asyncDispose]()
    const second = await start()
    await second.agent[Symbol.asyncDispose]()
  })

  test('a port in use is named, and nothing is left behind', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    await expect(start({ port })).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(String(port)) })
    await new Promise((resolve) => other.close(resolve))
    const { agent } = await start({ port })
    await agent[Symbol.asyncDispose]()
  })

  test('beyond loopback it starts only when asked to', async () => {
    await expect(start({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'USAGE', remedy: expect.stringContaining('--insecure-lan') })
    const { agent } = await start({ host: '0.0.0.0', insecureLan: true })
    await agent[Symbol.asyncDispose]()
  })

  test.each([
    ['a truncated GGUF', 'GGUF\u0003\u0000\u0000\u0000'],
    ['some other file', 'not a model'],
  ])('%s is refused before any engine sees it', async (_, content) => {
    const engine = createMockEngine({ clock: systemClock })
    const seen: string[] = []
    const watched: Engine = {
      loadModel(spec, ...rest) {
        seen.push(spec.path)
        return engine.loadModel(spec, ...rest)
      },
    }
    const { agent } = await start({ engine: watched })
    await using _agent = agent
    const file = path.join(home, 'bad.gguf')
    await writeFile(file, content)
    await using client = clientOf(agent)
    const command = { ...loadDemo, modelId: modelId('bad'), source: { kind: 'local', path: file } } as const
    await expect(client.loadModel(command, () => undefined, signal)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' })
    expect(seen).toEqual([])
  })

  test('a model too large for the memory is refused with the term and the numbers, before any engine sees it', async () => {
    const small = createFakeNodeProfile({
      memory: { totalBytes: 2 ** 30, limitBytes: 2 ** 30, availableBytes: 600 * 2 ** 20, bandwidthBytesPerSecond: null },
    })
    const { agent } = await start({}, { freshProfile: async () => small })
    await using _ = agent
    await using client = clientOf(agent)
    await expect(client.loadModel(loadDemo, () => undefined, signal)).rejects.toMatchObject({
      code: 'MODEL_DOES_NOT_FIT',
      message: expect.stringMatching(/shoal-demo.*needs .* of RAM for 2 x 256 tokens, 600 MiB are free: too little for the engine process/),
    })
    expect((await stateOf(agent)).models).toMatchObject([{ status: 'failed' }])
  })

  test('a model that is nowhere is a missing file', async () => {
    const { agent } = await start()
    await using _ = agent
    await using client = clientOf(agent)
    const command = { ...loadDemo, modelId: modelId('ghost'), source: { kind: 'local', path: null } } as const
    await expect(client.loadModel(command, () => undefined, signal)).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' })
    await expect(client.generate({ ...request, modelId: modelId('ghost') }, () => undefined, signal)).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    })
  })
})

async function stateOf(agent: Agent): Promise<NodeState> {
  const abort = new AbortController()
  const first = Promise.withResolvers<NodeState>()
  await Promise.all([agent.api.watch({ heartbeatMs: 1000 }, first.resolve, abort.signal), first.promise.then(() => abort.abort())])
  return await first.promise
}
