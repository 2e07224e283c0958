import { modelId, type NodeApi, type NodeState } from '@shoal/core'
import { expect, test } from 'vitest'
import { createFakeNodeApi, fakeModelState } from '../fake-node-api.ts'
import { type ConnectNodeApi, command, never } from './fixtures.ts'

export function describeQuestions(connect: ConnectNodeApi): void {
  test('describe, loadModel, unloadModel and drain bring the answers of the node', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    expect(await client.describe(never())).toStrictEqual(api.description)

    const progress: (number | null)[] = []
    const loaded = await client.loadModel(command, (state) => progress.push(state.progress), never())
    expect(progress).toStrictEqual([0.5])
    expect(loaded).toStrictEqual(fakeModelState('m', { contextTokens: 512, slotsTotal: 2 }))
    expect(api.state.models).toStrictEqual([loaded])

    await client.unloadModel(modelId('m'), never())
    expect(api.state.models).toStrictEqual([])
    expect(await client.drain({ deadlineMs: 1000 }, never())).toStrictEqual({ unfinished: 0 })
  })

  test('a drain without a deadline is a drain with the longest there is', async () => {
    const deadlines: number[] = []
    const drain: NodeApi['drain'] = async ({ deadlineMs }) => {
      deadlines.push(deadlineMs)
      return { unfinished: 3 }
    }
    await using client = await connect(createFakeNodeApi({ drain }))
    expect(await client.drain({ deadlineMs: Number.POSITIVE_INFINITY }, never())).toStrictEqual({ unfinished: 3 })
    expect(await client.drain({ deadlineMs: 0.5 }, never())).toStrictEqual({ unfinished: 3 })
    expect(deadlines).toStrictEqual([2 ** 32 - 1, 1])
  })
}

export function describeWatch(connect: ConnectNodeApi): void {
  test('watch brings the state at once and after a change, and ends when the node leaves', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    const states: NodeState[] = []
    await client.watch(
      { heartbeatMs: 1000 },
      (state) => {
        states.push(state)
        if (states.length === 1) api.update({ models: [fakeModelState('m')] })
        else api.leave()
      },
      never(),
    )
    expect(states.map((state) => state.version)).toStrictEqual([1, 2])
    expect(states[1]).toStrictEqual(api.state)
  })

  test('of many changes in a moment the newest arrives', async () => {
    const api = createFakeNodeApi()
    await using client = await connect(api)
    const versions: number[] = []
    await client.watch(
      { heartbeatMs: 1000 },
      (state) => {
        versions.push(state.version)
        if (versions.length === 1) for (let change = 0; change < 1000; change += 1) api.update({})
        if (state.version === 1001) api.leave()
      },
      never(),
    )
    expect(versions).toStrictEqual([...versions].sort((a, b) => a - b))
    expect(versions.at(-1)).toBe(1001)
    expect(versions.length).toBeLessThan(100)
  })
}
