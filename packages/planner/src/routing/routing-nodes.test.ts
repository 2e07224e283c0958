import { type NodeView, nodeId } from '@shoal/core'
import { describe, expect, it } from 'vitest'
import { routed, routingHarness } from '../testing/routing-harness.ts'
import { routingCounts } from './routing-counts.ts'
import { nodeChangedEvent } from './routing-events.ts'

describe('choosing a node', () => {
  it('spreads equal nodes by load, one request each before two on one', () => {
    const h = routingHarness()
    h.node('a', [routed('m')])
    h.node('b', [routed('m')])
    const nodes = ['1', '2', '3', '4'].map((id) => h.ask(id)[0]?.split('>')[1]?.[0])
    expect(nodes.slice(0, 2).toSorted()).toEqual(['a', 'b'])
    expect(nodes.toSorted()).toEqual(['a', 'a', 'b', 'b'])
    expect(h.ask('5')).toEqual([])
  })

  it('takes turns between idle equal nodes when requests come one after another', () => {
    const h = routingHarness()
    h.node('a', [routed('m')])
    h.node('b', [routed('m')])
    const first = h.ask('1')[0]?.[2]
    h.end('1', first ?? '')
    const second = h.ask('2')[0]?.[2]
    expect([first, second].toSorted()).toEqual(['a', 'b'])
  })

  it('prefers the faster of two idle nodes, and a measured one to an unmeasured one', () => {
    const h = routingHarness()
    h.node('slow', [routed('m', { tokensPerSecond: 10 })])
    h.node('unknown', [routed('m')])
    h.node('fast', [routed('m', { tokensPerSecond: 40 })])
    expect([...h.ask('1'), ...h.ask('2'), ...h.ask('3')]).toEqual(['1>fast/m#1', '2>slow/m#1', '3>unknown/m#1'])
  })

  it('among idle nodes of like speed prefers the one that does less for other models', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { tokensPerSecond: 21 }), routed('other')])
    h.node('b', [routed('m', { tokensPerSecond: 20 })])
    h.ask('1', 'other')
    expect(h.ask('2')).toEqual(['2>b/m#1'])
  })

  it('counts what a node reports beyond our own attempts as taken', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsUsed: 1 })])
    h.node('b', [routed('m')])
    expect(h.ask('1')).toEqual(['1>b/m#1'])
  })

  it('does not count our own attempts twice when the node reports them', () => {
    const h = routingHarness()
    h.node('a', [routed('m')])
    h.ask('1')
    h.node('a', [routed('m', { slotsUsed: 1 })])
    expect(h.ask('2')).toEqual(['2>a/m#1'])
  })

  it('does not take an attempt that just ended for somebody else when a late report still counts it', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.ask('1')
    h.end('1', 'a')
    h.node('a', [routed('m', { slotsTotal: 1, slotsUsed: 1 })])
    expect(h.ask('2')).toEqual(['2>a/m#1'])
  })

  it('gives no new work to draining, suspect, loading or refusing nodes', () => {
    const h = routingHarness()
    h.node('draining', [routed('m')], { draining: true })
    h.node('suspect', [routed('m')], { suspect: true })
    h.node('loading', [routed('m', { status: 'loading' })])
    h.node('good', [routed('m', { slotsTotal: 1 })])
    expect(h.ask('1')).toEqual(['1>good/m#1'])
    expect(h.ask('2')).toEqual([])
    expect(h.end('1', 'good', 'refused')).toEqual([])
    expect(routingCounts(h.table)).toEqual({ waiting: 2, running: 0, nodes: 4, waitingByModel: { m: 2 } })
    expect(h.node('good', [routed('m', { slotsTotal: 2 })])).toEqual(['1>good/m#2', '2>good/m#1'])
  })

  it('uses a suspect node again once the same snapshot comes without suspicion', () => {
    const h = routingHarness()
    h.node('a', [routed('m')], { suspect: true, version: 7 })
    expect(h.ask('1')).toEqual([])
    expect(h.node('a', [routed('m')], { version: 7 })).toEqual(['1>a/m#1'])
  })

  it('does not invent foreign attempts from a snapshot it has seen already', () => {
    const h = routingHarness()
    h.node('a', [routed('m', { slotsTotal: 1 })], { version: 1 })
    h.ask('1')
    h.node('a', [routed('m', { slotsTotal: 1, slotsUsed: 1 })], { version: 2 })
    h.end('1', 'a')
    for (let times = 0; times < 2; times++) h.node('a', [routed('m', { slotsTotal: 1, slotsUsed: 1 })], { version: 2 })
    expect(h.ask('2')).toEqual(['2>a/m#1'])
  })

  it('ignores what an older snapshot says of slots, and takes a new incarnation from version 1', () => {
    const h = routingHarness()
    h.node('a', [routed('m')], { version: 9 })
    h.node('a', [routed('m', { status: 'failed' })], { version: 8 })
    expect(h.ask('1')).toEqual(['1>a/m#1'])
    h.node('a', [routed('n')], { version: 1, incarnation: 'i2' })
    expect(h.ask('2')).toEqual(['2!MODEL_UNKNOWN'])
    expect(h.ask('3', 'n')).toEqual(['3>a/n#1'])
  })
})

describe('auto', () => {
  const ranks: Record<string, number> = { best: 90, common: 70, small: 40 }
  const options = { rankOf: (model: string) => ranks[model] ?? null }

  it('is the best ranked model, and an unranked one only when there is no other', () => {
    const h = routingHarness(options)
    h.node('a', [routed('unranked'), routed('small')])
    expect(h.ask('1', 'auto')).toEqual(['1>a/small#1'])
    h.node('b', [routed('best')])
    expect(h.ask('2', 'auto')).toEqual(['2>b/best#1'])
  })

  it('prefers a model that two nodes serve to a better one on a single node', () => {
    const h = routingHarness(options)
    h.node('a', [routed('best')])
    h.node('b', [routed('common')])
    h.node('c', [routed('common')])
    expect(h.ask('1', 'auto')[0]).toMatch(/common/)
  })

  it('is the demo only while there is nothing else', () => {
    const h = routingHarness(options)
    h.node('a', [routed('shoal-demo', { isDemo: true })])
    h.node('b', [routed('shoal-demo', { isDemo: true })])
    expect(h.ask('1', 'auto')[0]).toMatch(/shoal-demo/)
    h.node('c', [routed('unranked', { slotsTotal: 1 })])
    expect(h.ask('2', 'auto')).toEqual(['2>c/unranked#1'])
    expect(h.ask('3', 'auto')).toEqual([])
  })

  it('stands in one line with requests that name the model', () => {
    const h = routingHarness(options)
    h.node('a', [routed('best', { slotsTotal: 1 })])
    h.ask('1', 'auto')
    h.ask('2', 'best')
    h.ask('3', 'auto')
    expect([...h.end('1', 'a'), ...h.end('2', 'a')]).toEqual(['2>a/best#1', '3>a/best#1'])
  })

  it('turns to another model when the nodes of the best one have failed the request', () => {
    const h = routingHarness(options)
    h.node('a', [routed('best')])
    h.node('b', [routed('small')])
    expect(h.ask('1', 'auto')).toEqual(['1>a/best#1'])
    expect(h.end('1', 'a', 'failed-other-node')).toEqual(['1>b/small#2'])
    expect(h.ask('2', 'auto')).toEqual(['2>a/best#1'])
  })

  it('turns to it later when that one is full or still loading', () => {
    const h = routingHarness(options)
    h.node('a', [routed('best')])
    h.node('b', [routed('small', { slotsTotal: 1 })])
    h.node('c', [routed('common', { status: 'loading' })])
    h.ask('1', 'auto')
    h.ask('2', 'small')
    expect(h.end('1', 'a', 'failed-other-node')).toEqual([])
    expect(h.node('c', [routed('common')])).toEqual(['1>c/common#2'])
  })

  it('moves its waiting requests to the model that takes over when a node becomes suspect', () => {
    const h = routingHarness(options)
    h.node('a', [routed('best', { slotsTotal: 1 })])
    h.node('b', [routed('small')])
    h.ask('1', 'auto')
    expect(h.ask('2', 'auto')).toEqual([])
    expect(h.node('a', [routed('best', { slotsTotal: 1 })], { suspect: true })).toEqual(['2>b/small#1'])
  })
})

it('makes a nodeChanged event of what the gateway knows of a node', () => {
  const state = { nodeId: nodeId('a'), incarnation: 'i', version: 3, draining: true, models: [] }
  const view = { nodeId: nodeId('a'), address: 'x:1', liveness: 'suspect', state } as unknown as NodeView
  expect(nodeChangedEvent(view, 5)).toEqual({ kind: 'nodeChanged', nowMs: 5, ...state, suspect: true })
})
