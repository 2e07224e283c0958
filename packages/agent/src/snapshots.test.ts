import { type NodeState, nodeId } from '@shoal/core'
import { createManualClock } from '@shoal/core/testing'
import { describe, expect, test } from 'vitest'
import { createSnapshots } from './snapshots.ts'

function watched(heartbeatMs = 1000) {
  const clock = createManualClock()
  const seen: NodeState[] = []
  const abort = new AbortController()
  const snapshots = createSnapshots({ clock, build: () => ({ nodeId: nodeId('a'), incarnation: 'i', draining: false, models: [] }) })
  const done = snapshots.watch({ heartbeatMs }, (state) => seen.push(state), abort.signal)
  return { clock, seen, abort, snapshots, done, versions: () => seen.map((state) => state.version) }
}

describe('snapshots', () => {
  test('a watcher is told at once, and again after every heartbeat of silence', () => {
    const { clock, versions } = watched(1000)
    expect(versions()).toEqual([1])
    clock.advance(999)
    expect(versions()).toEqual([1])
    clock.advance(1)
    expect(versions()).toEqual([1, 1])
  })

  test('a change after a quiet time is told without waiting', () => {
    const { clock, snapshots, versions } = watched()
    clock.advance(500)
    snapshots.touch()
    clock.advance(0)
    expect(versions()).toEqual([1, 2])
  })

  test('many changes become one snapshot per 50 ms, and the last one is never lost', () => {
    const { clock, snapshots, versions } = watched(60_000)
    clock.advance(500)
    for (let change = 0; change < 200; change++) {
      snapshots.touch()
      clock.advance(1)
    }
    clock.advance(50)
    expect(versions().length).toBeLessThanOrEqual(7)
    expect(versions().at(-1)).toBe(201)
  })

  test('a cancelled watch gets nothing more', async () => {
    const { clock, snapshots, abort, done, versions } = watched()
    abort.abort()
    await done
    snapshots.touch()
    clock.advance(5000)
    expect(versions()).toEqual([1])
  })

  test('the end of the node ends its watches after the last change, and later ones at once', async () => {
    const { snapshots, done, versions } = watched()
    snapshots.touch()
    snapshots.end()
    await done
    expect(versions()).toEqual([1, 2])
    const seen: NodeState[] = []
    await snapshots.watch({ heartbeatMs: 1000 }, (state) => seen.push(state), new AbortController().signal)
    expect(seen).toEqual([])
  })
})
