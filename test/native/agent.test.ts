import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startAgent } from '@shoal/agent'
import { defaultSampling, type GenerateEvent, modelId, type NodeModelState, type NodeState, requestId } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { createLlamaEngine } from '@shoal/engine'
import { createNodeClient } from '@shoal/protocol'
import { systemClock } from '@shoal/runtime'
import { expect, test } from 'vitest'

test('an agent with nothing loads the demo model and serves it over gRPC', async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'shoal-agent-'))
  try {
    const log = createFakeLog()
    const options = {
      directories: { state: path.join(home, 'state'), models: path.join(home, 'models'), cache: path.join(home, 'cache') },
      host: '127.0.0.1',
      port: 0,
      announce: false,
      insecureLan: false,
      engine: createLlamaEngine({ log, clock: systemClock, gpu: false }),
      log,
      clock: systemClock,
      threads: 1,
    }
    await using agent = await startAgent(options)
    await using client = createNodeClient({ address: agent.address, log })
    const { signal } = new AbortController()

    const progress: NodeModelState[] = []
    const demo = modelId('shoal-demo')
    const command = { modelId: demo, source: { kind: 'demo' }, contextTokens: 1024, slots: 2 } as const
    const loaded = await client.loadModel(command, (state) => progress.push(state), signal)
    expect(loaded).toMatchObject({ modelId: demo, status: 'ready', isDemo: true, slotsTotal: 2, contextTokens: 1024 })
    expect(progress[0]?.status).toBe('loading')

    const events: GenerateEvent[] = []
    const request = {
      requestId: requestId('r1'),
      modelId: demo,
      epoch: 1,
      messages: [{ role: 'user', content: 'Who are you?' }],
      sampling: { ...defaultSampling, temperature: 0 },
      tokensMax: 24,
      thinking: false,
    } as const
    await client.generate(request, (event) => events.push(event), signal)
    const ids = events.flatMap((event) => (event.kind === 'tokens' ? event.tokenIds : []))
    expect(ids.length).toBeGreaterThan(0)
    expect(events.at(-1)).toEqual({ kind: 'finished', reason: expect.any(String), completionTokens: ids.length })
    expect(events.flatMap((event) => (event.kind === 'tokens' ? [event.text] : [])).join('')).toContain('Shoal demo')

    // The digest is computed behind the load and becomes part of the state.
    const seen = Promise.withResolvers<NodeState>()
    const watching = new AbortController()
    const watch = client.watch({ heartbeatMs: 500 }, (state) => state.models[0]?.sha256 != null && seen.resolve(state), watching.signal)
    expect((await seen.promise).models).toMatchObject([
      { modelId: demo, status: 'ready', slotsUsed: 0, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ])
    watching.abort()
    await expect(watch).rejects.toMatchObject({ code: 'CANCELLED' })

    await client.unloadModel(demo, signal)
    await expect(client.generate(request, () => undefined, signal)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
