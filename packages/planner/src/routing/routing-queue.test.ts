import { modelId, nodeId, requestId } from '@shoal/core'
import { describe, expect, it } from 'vitest'
import { routed, routingHarness } from '../testing/routing-harness.ts'
import { routingCounts } from './routing-counts.ts'
import { step } from './step.ts'

describe('what cannot run now', () => {
  it('rejects a model no node has at once, with nothing to wait for', () => {
    const h = routingHarness()
    h.node('a', [routed('m')])
    const effects = step(h.table, { kind: 'requested', nowMs: 0, requestId: requestId('1'), model: modelId('x') }).effects
    expect(effects).toEqual([{ kind: 'reject', requestId: '1', code: 'MODEL_UNKNOWN', retryAfterMs: null, failedAttempts: 0 }])
  })

  it('says NO_NODE while there is no node at all, and when the model failed to load everywhere', () => {
    const h = routingHarness()
    expect(h.ask('1')).toEqual(['1!NO_NODE'])
    expect(h.ask('2', 'auto')).toEqual(['2!NO_NODE'])
    h.node('a', [routed('m', { status: 'failed' })])
    expect(h.ask('3')).toEqual(['3!NO_NODE'])
    expect(h.ask('4', 'auto')).toEqual(['4!NO_NODE'])
  })

  it('waits for a model that is loading and runs when it is ready', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { status: 'downloading' })])
    expect(h.ask('1')).toEqual([])
    expect(h.ask('2', 'auto')).toEqual([])
    expect(h.node('a', [routed('m')])).toEqual(['1>a/m#1', '2>a/m#1'])
  })

  it('waits for a lost node to return, but not for ever', () => {
    const h = routingHarness({ goneMemoryMs: 1000 })
    h.node('a', [routed('m')])
    h.node('b', [routed('n')])
    h.lose('a')
    expect(h.ask('1')).toEqual([])
    expect(h.wait(999)).toEqual([])
    expect(h.wait(1)).toEqual(['1!MODEL_UNKNOWN'])
  })

  it('tells those who wait when the last copy of the model is unloaded', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { status: 'loading' }), routed('n')])
    h.ask('1')
    expect(h.node('a', [routed('n')])).toEqual(['1!MODEL_UNKNOWN'])
  })

  it('rejects by deadline, its own or the default one', () => {
    const h = routingHarness({ waitMaxMs: 500 })
    h.node('a', [routed('m', { status: 'loading' })])
    h.ask('1', 'm', 300)
    h.ask('2')
    expect(h.wait(299)).toEqual([])
    expect(h.wait(1)).toEqual(['1!DEADLINE_EXCEEDED'])
    expect(h.wait(200)).toEqual(['2!DEADLINE_EXCEEDED'])
  })

  it('does not dispatch what has passed its deadline, even before the next tick', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { status: 'loading' })])
    h.ask('1', 'm', 100)
    const models = [routed('m')]
    const late = { kind: 'nodeChanged', nowMs: 100, nodeId: nodeId('a'), incarnation: 'i1', version: 99, draining: false } as const
    expect(h.apply({ ...late, suspect: false, models })).toEqual(['1!DEADLINE_EXCEEDED'])
  })

  it('rejects the newcomer when the queue is full, with an estimate from the service time, and keeps the rest', () => {
    const h = routingHarness({ queueMax: 2 })
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.ask('0')
    h.wait(8000)
    h.end('0', 'a')
    for (const id of ['1', '2', '3']) h.ask(id)
    const effects = step(h.table, { kind: 'requested', nowMs: 8000, requestId: requestId('4'), model: modelId('m') }).effects
    expect(effects).toEqual([{ kind: 'reject', requestId: '4', code: 'QUEUE_FULL', retryAfterMs: 24_000, failedAttempts: 0 }])
    expect(h.end('1', 'a')).toEqual(['2>a/m#1'])
  })

  it('still runs a request for an idle model while another model fills the queue', () => {
    const h = routingHarness({ queueMax: 1 })
    h.node('a', [routed('m', { status: 'loading' }), routed('n')])
    h.ask('1')
    expect(h.ask('2', 'n')).toEqual(['2>a/n#1'])
  })

  it('refuses a request id that is in use', () => {
    const h = routingHarness()
    h.node('a', [routed('m')])
    h.ask('1')
    expect(() => h.ask('1')).toThrow('request id 1 is already in use')
  })
})

describe('attempts that fail', () => {
  it('go to another node at once and never back to the one that failed', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { tokensPerSecond: 50 })])
    h.node('b', [routed('m', { tokensPerSecond: 5 })])
    expect(h.ask('1')).toEqual(['1>a/m#1'])
    expect(h.end('1', 'a', 'failed-other-node')).toEqual(['1>b/m#2'])
    expect(h.end('1', 'b', 'failed-other-node')).toEqual(['1!NO_NODE'])
  })

  it('wait at the head for a node that is full, while others pass to nodes it may not use', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1, tokensPerSecond: 50 })])
    h.node('b', [routed('m', { slotsTotal: 1 })])
    h.ask('1')
    h.ask('2')
    h.ask('3')
    expect(h.end('1', 'a', 'failed-other-node')).toEqual(['3>a/m#1'])
    h.ask('4')
    expect(h.end('2', 'b')).toEqual(['1>b/m#2'])
    expect(h.end('3', 'a')).toEqual(['4>a/m#1'])
  })

  it('end after three', () => {
    const h = routingHarness()
    for (const name of ['a', 'b', 'c', 'd']) h.node(name, [routed('m')])
    const tried: string[] = []
    let effects = h.ask('1')
    while (effects[0]?.includes('>')) {
      const name = effects[0].split(/[>/]/)[1] ?? ''
      tried.push(name)
      effects = h.end('1', name, 'failed-other-node')
    }
    expect(new Set(tried).size).toBe(3)
    expect(effects).toEqual(['1!NO_NODE'])
  })

  it('may use the same machine again once its agent has been restarted', () => {
    const h = routingHarness()
    h.node('a', [routed('m')])
    h.ask('1')
    h.lose('a')
    expect(h.end('1', 'a', 'failed-other-node')).toEqual([])
    expect(h.node('a', [routed('m')], { incarnation: 'i2', version: 1 })).toEqual(['1>a/m#2'])
  })

  it('free their slot and are over after failed and finished', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.ask('1')
    h.ask('2')
    expect(h.end('1', 'a', 'failed')).toEqual(['2>a/m#1'])
    expect(h.end('2', 'a')).toEqual([])
    expect(routingCounts(h.table)).toMatchObject({ waiting: 0, running: 0 })
  })

  it('of an unknown request or from the wrong node change nothing', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.ask('1')
    h.ask('2')
    expect(h.end('9', 'a')).toEqual([])
    expect(h.end('1', 'b')).toEqual([])
    expect(routingCounts(h.table)).toMatchObject({ waiting: 1, running: 1 })
  })
})

describe('cancelled', () => {
  it('is forgotten while waiting', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    for (const id of ['1', '2', '3']) h.ask(id)
    expect(h.cancel('2')).toEqual([])
    expect(h.end('1', 'a')).toEqual(['3>a/m#1'])
  })

  it('keeps the slot while running, and is not tried elsewhere', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.node('b', [routed('m', { status: 'loading' })])
    h.ask('1')
    h.ask('2')
    expect(h.cancel('1')).toEqual([])
    expect(h.end('1', 'a', 'failed-other-node')).toEqual(['2>a/m#1'])
    expect(h.node('b', [routed('m')])).toEqual([])
  })
})
