import { type GenerateEvent, type NodeApi, ShoalError } from '@shoal/core'
import { expect, test } from 'vitest'
import { createFakeNodeApi, fakeModelState } from '../fake-node-api.ts'
import { aborted, type ConnectNodeApi, command, createEndlessNode, never, request } from './fixtures.ts'

export function describeCancelling(connect: ConnectNodeApi): void {
  test('a cancelled call rejects at once, stops the node and brings nothing more', async () => {
    const node = createEndlessNode()
    await using client = await connect(node.api)
    const cancel = new AbortController()
    const events: GenerateEvent[] = []
    const generation = client.generate(request(), (event) => events.push(event), cancel.signal)
    await node.begun
    cancel.abort()
    const seen = events.length
    await expect(generation).rejects.toMatchObject({ code: 'CANCELLED' })
    await node.stopped
    await client.describe(never())
    expect(events).toHaveLength(seen)
  })

  test('a call whose signal fired before is never made', async () => {
    const node = createEndlessNode()
    let calls = 0
    const describeNode: NodeApi['describe'] = (signal) => {
      calls += 1
      return node.api.describe(signal)
    }
    await using client = await connect({ ...node.api, describe: describeNode })
    await expect(client.describe(AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(client.generate(request(), () => {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
    await client.describe(never())
    expect(calls).toBe(1)
  })

  test('a deadline is told from a wish', async () => {
    const node = createEndlessNode()
    await using client = await connect(node.api)
    const generation = client.generate(request(), () => {}, AbortSignal.timeout(30))
    await expect(generation).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await node.stopped
  })

  test('a watch and a load can be cancelled', async () => {
    const api = createFakeNodeApi({
      loadModel: async (_command, onProgress, signal) => {
        onProgress(fakeModelState('m', { status: 'loading', progress: 0 }))
        await aborted(signal)
        throw new ShoalError({ code: 'CANCELLED', message: 'stopped' })
      },
    })
    await using client = await connect(api)
    const cancel = new AbortController()
    const watch = client.watch({ heartbeatMs: 1000 }, () => cancel.abort(), cancel.signal)
    await expect(watch).rejects.toMatchObject({ code: 'CANCELLED' })
    const cancelLoad = new AbortController()
    const load = client.loadModel(command, () => cancelLoad.abort(), cancelLoad.signal)
    await expect(load).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  test('a listener that throws ends its call with what it threw and stops the node', async () => {
    const node = createEndlessNode()
    await using client = await connect(node.api)
    const fail = () => {
      throw new ShoalError({ code: 'INTERNAL', message: 'listener broke' })
    }
    await expect(client.generate(request(), fail, never())).rejects.toMatchObject({ message: 'listener broke' })
    await node.stopped
  })

  test('disposing the client cancels what runs, and refuses what comes', async () => {
    const node = createEndlessNode()
    const client = await connect(node.api)
    const generation = client.generate(request(), () => {}, never())
    await node.begun
    const outcome = expect(generation).rejects.toMatchObject({ code: 'CANCELLED' })
    await client[Symbol.asyncDispose]()
    await outcome
    await node.stopped
    await expect(client.describe(never())).rejects.toMatchObject({ code: 'CANCELLED' })
  })
}
