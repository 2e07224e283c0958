import { modelId, type NodeView, nodeId, requestId } from '@shoal/core'
import { describe, expect, it } from 'vitest'
import { routingCounts } from './routing-counts.ts'
import { type AttemptOutcome, nodeChangedEvent, type RoutedModel, type RoutingEvent, type RoutingOptions } from './routing-events.ts'
import { createRoutingTable } from './routing-table.ts'
import { step } from './step.ts'

type NodeChanged = Extract<RoutingEvent, { kind: 'nodeChanged' }>

const routed = (name: string, facts: Partial<RoutedModel> = {}): RoutedModel => ({
  modelId: modelId(name),
  status: 'ready',
  isDemo: false,
  slotsTotal: 2,
  slotsUsed: 0,
  tokensPerSecond: null,
  ...facts,
})

/** A table with a clock and version counter; every method answers with the effects in short form. */
function harness(options: Partial<RoutingOptions> = {}) {
  const table = createRoutingTable({ queueMax: 10, ...options })
  let nowMs = 0
  let version = 0
  const apply = (event: RoutingEvent): string[] =>
    step(table, event).effects.map((effect) =>
      effect.kind === 'dispatch'
        ? `${effect.requestId}>${effect.nodeId}/${effect.modelId}#${effect.attempt}`
        : `${effect.requestId}!${effect.code}`,
    )
  return {
    table,
    apply,
    wait: (ms: number) => {
      nowMs += ms
      return apply({ kind: 'tick', nowMs })
    },
    node: (name: string, models: RoutedModel[], facts: Partial<NodeChanged> = {}) => {
      version += 1
      const event = {
        kind: 'nodeChanged',
        nowMs,
        nodeId: nodeId(name),
        incarnation: 'i1',
        version,
        draining: false,
        suspect: false,
        models,
      }
      return apply({ ...event, ...facts } as NodeChanged)
    },
    lose: (name: string) => apply({ kind: 'nodeLost', nowMs, nodeId: nodeId(name) }),
    ask: (id: string, model = 'm', deadlineMs: number | null = null) =>
      apply({ kind: 'requested', nowMs, requestId: requestId(id), model: model === 'auto' ? 'auto' : modelId(model), deadlineMs }),
    end: (id: string, node: string, outcome: AttemptOutcome = 'finished') =>
      apply({ kind: 'attemptEnded', nowMs, requestId: requestId(id), nodeId: nodeId(node), outcome }),
    cancel: (id: string) => apply({ kind: 'cancelled', nowMs, requestId: requestId(id) }),
  }
}

describe('choosing a node', () => {
  it('spreads equal nodes by load, one request each before two on one', () => {
    const h = harness()
    h.node('a', [routed('m')])
    h.node('b', [routed('m')])
    const nodes = ['1', '2', '3', '4'].map((id) => h.ask(id)[0]?.split('>')[1]?.[0])
    expect(nodes.slice(0, 2).toSorted()).toEqual(['a', 'b'])
    expect(nodes.toSorted()).toEqual(['a', 'a', 'b', 'b'])
    expect(h.ask('5')).toEqual([])
  })

  it('takes turns between idle equal nodes when requests come one after another', () => {
    const h = harness()
    h.node('a', [routed('m')])
    h.node('b', [routed('m')])
    const first = h.ask('1')[0]?.[2]
    h.end('1', first ?? '')
    const second = h.ask('2')[0]?.[2]
    expect([first, second].toSorted()).toEqual(['a', 'b'])
  })

  it('prefers the faster of two idle nodes, and a measured one to an unmeasured one', () => {
    const h = harness()
    h.node('slow', [routed('m', { tokensPerSecond: 10 })])
    h.node('unknown', [routed('m')])
    h.node('fast', [routed('m', { tokensPerSecond: 40 })])
    expect([...h.ask('1'), ...h.ask('2'), ...h.ask('3')]).toEqual(['1>fast/m#1', '2>slow/m#1', '3>unknown/m#1'])
  })

  it('among idle nodes of like speed prefers the one that does less for other models', () => {
    const h = harness()
    h.node('a', [routed('m', { tokensPerSecond: 21 }), routed('other')])
    h.node('b', [routed('m', { tokensPerSecond: 20 })])
    h.ask('1', 'other')
    expect(h.ask('2')).toEqual(['2>b/m#1'])
  })

  it('counts what a node reports beyond our own attempts as taken', () => {
    const h = harness()
    h.node('a', [routed('m', { slotsUsed: 1 })])
    h.node('b', [routed('m')])
    expect(h.ask('1')).toEqual(['1>b/m#1'])
  })

  it('does not count our own attempts twice when the node reports them', () => {
    const h = harness()
    h.node('a', [routed('m')])
    h.ask('1')
    h.node('a', [routed('m', { slotsUsed: 1 })])
    expect(h.ask('2')).toEqual(['2>a/m#1'])
  })

  it('does not take an attempt that just ended for somebody else when a late report still counts it', () => {
    const h = harness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.ask('1')
    h.end('1', 'a')
    h.node('a', [routed('m', { slotsTotal: 1, slotsUsed: 1 })])
    expect(h.ask('2')).toEqual(['2>a/m#1'])
  })

  it('gives no new work to draining, suspect, loading or refusing nodes', () => {
    const h = harness()
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
    const h = harness()
    h.node('a', [routed('m')], { suspect: true, version: 7 })
    expect(h.ask('1')).toEqual([])
    expect(h.node('a', [routed('m')], { version: 7 })).toEqual(['1>a/m#1'])
  })

  it('does not invent foreign attempts from a snapshot it has seen already', () => {
    const h = harness()
    h.node('a', [routed('m', { slotsTotal: 1 })], { version: 1 })
    h.ask('1')
    h.node('a', [routed('m', { slotsTotal: 1, slotsUsed: 1 })], { version: 2 })
    h.end('1', 'a')
    for (let times = 0; times < 2; times++) h.node('a', [routed('m', { slotsTotal: 1, slotsUsed: 1 })], { version: 2 })
    expect(h.ask('2')).toEqual(['2>a/m#1'])
  })

  it('ignores what an older snapshot says of slots, and takes a new incarnation from version 1', () => {
    const h = harness()
    h.node('a', [routed('m')], { version: 9 })
    h.node('a', [routed('m', { status: 'failed' })], { version: 8 })
    expect(h.ask('1')).toEqual(['1>a/m#1'])
    h.node('a', [routed('n')], { version: 1, incarnation: 'i2' })
    expect(h.ask('2')).toEqual(['2!MODEL_UNKNOWN'])
    expect(h.ask('3', 'n')).toEqual(['3>a/n#1'])
  })
})

describe('what cannot run now', () => {
  it('rejects a model no node has at once, with nothing to wait for', () => {
    const h = harness()
    h.node('a', [routed('m')])
    const effects = step(h.table, { kind: 'requested', nowMs: 0, requestId: requestId('1'), model: modelId('x') }).effects
    expect(effects).toEqual([{ kind: 'reject', requestId: '1', code: 'MODEL_UNKNOWN', retryAfterMs: null, failedAttempts: 0 }])
  })

  it('says NO_NODE while there is no node at all, and when the model failed to load everywhere', () => {
    const h = harness()
    expect(h.ask('1')).toEqual(['1!NO_NODE'])
    expect(h.ask('2', 'auto')).toEqual(['2!NO_NODE'])
    h.node('a', [routed('m', { status: 'failed' })])
    expect(h.ask('3')).toEqual(['3!NO_NODE'])
    expect(h.ask('4', 'auto')).toEqual(['4!NO_NODE'])
  })

  it('waits for a model that is loading and runs when it is ready', () => {
    const h = harness()
    h.node('a', [routed('m', { status: 'downloading' })])
    expect(h.ask('1')).toEqual([])
    expect(h.ask('2', 'auto')).toEqual([])
    expect(h.node('a', [routed('m')])).toEqual(['1>a/m#1', '2>a/m#1'])
  })

  it('waits for a lost node to return, but not for ever', () => {
    const h = harness({ goneMemoryMs: 1000 })
    h.node('a', [routed('m')])
    h.node('b', [routed('n')])
    h.lose('a')
    expect(h.ask('1')).toEqual([])
    expect(h.wait(999)).toEqual([])
    expect(h.wait(1)).toEqual(['1!MODEL_UNKNOWN'])
  })

  it('tells those who wait when the last copy of the model is unloaded', () => {
    const h = harness()
    h.node('a', [routed('m', { status: 'loading' }), routed('n')])
    h.ask('1')
    expect(h.node('a', [routed('n')])).toEqual(['1!MODEL_UNKNOWN'])
  })

  it('rejects by deadline, its own or the default one', () => {
    const h = harness({ waitMaxMs: 500 })
    h.node('a', [routed('m', { status: 'loading' })])
    h.ask('1', 'm', 300)
    h.ask('2')
    expect(h.wait(299)).toEqual([])
    expect(h.wait(1)).toEqual(['1!DEADLINE_EXCEEDED'])
    expect(h.wait(200)).toEqual(['2!DEADLINE_EXCEEDED'])
  })

  it('does not dispatch what has passed its deadline, even before the next tick', () => {
    const h = harness()
    h.node('a', [routed('m', { status: 'loading' })])
    h.ask('1', 'm', 100)
    const models = [routed('m')]
    const late = { kind: 'nodeChanged', nowMs: 100, nodeId: nodeId('a'), incarnation: 'i1', version: 99, draining: false } as const
    expect(h.apply({ ...late, suspect: false, models })).toEqual(['1!DEADLINE_EXCEEDED'])
  })

  it('rejects the newcomer when the queue is full, with an estimate from the service time, and keeps the rest', () => {
    const h = harness({ queueMax: 2 })
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
    const h = harness({ queueMax: 1 })
    h.node('a', [routed('m', { status: 'loading' }), routed('n')])
    h.ask('1')
    expect(h.ask('2', 'n')).toEqual(['2>a/n#1'])
  })

  it('refuses a request id that is in use', () => {
    const h = harness()
    h.node('a', [routed('m')])
    h.ask('1')
    expect(() => h.ask('1')).toThrow('request id 1 is already in use')
  })
})

describe('attempts that fail', () => {
  it('go to another node at once and never back to the one that failed', () => {
    const h = harness()
    h.node('a', [routed('m', { tokensPerSecond: 50 })])
    h.node('b', [routed('m', { tokensPerSecond: 5 })])
    expect(h.ask('1')).toEqual(['1>a/m#1'])
    expect(h.end('1', 'a', 'failed-other-node')).toEqual(['1>b/m#2'])
    expect(h.end('1', 'b', 'failed-other-node')).toEqual(['1!NO_NODE'])
  })

  it('wait at the head for a node that is full, while others pass to nodes it may not use', () => {
    const h = harness()
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
    const h = harness()
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
    const h = harness()
    h.node('a', [routed('m')])
    h.ask('1')
    h.lose('a')
    expect(h.end('1', 'a', 'failed-other-node')).toEqual([])
    expect(h.node('a', [routed('m')], { incarnation: 'i2', version: 1 })).toEqual(['1>a/m#2'])
  })

  it('free their slot and are over after failed and finished', () => {
    const h = harness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.ask('1')
    h.ask('2')
    expect(h.end('1', 'a', 'failed')).toEqual(['2>a/m#1'])
    expect(h.end('2', 'a')).toEqual([])
    expect(routingCounts(h.table)).toMatchObject({ waiting: 0, running: 0 })
  })

  it('of an unknown request or from the wrong node change nothing', () => {
    const h = harness()
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
    const h = harness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    for (const id of ['1', '2', '3']) h.ask(id)
    expect(h.cancel('2')).toEqual([])
    expect(h.end('1', 'a')).toEqual(['3>a/m#1'])
  })

  it('keeps the slot while running, and is not tried elsewhere', () => {
    const h = harness()
    h.node('a', [routed('m', { slotsTotal: 1 })])
    h.node('b', [routed('m', { status: 'loading' })])
    h.ask('1')
    h.ask('2')
    expect(h.cancel('1')).toEqual([])
    expect(h.end('1', 'a', 'failed-other-node')).toEqual(['2>a/m#1'])
    expect(h.node('b', [routed('m')])).toEqual([])
  })
})

describe('auto', () => {
  const ranks: Record<string, number> = { best: 90, common: 70, small: 40 }
  const options = { rankOf: (model: string) => ranks[model] ?? null }

  it('is the best ranked model, and an unranked one only when there is no other', () => {
    const h = harness(options)
    h.node('a', [routed('unranked'), routed('small')])
    expect(h.ask('1', 'auto')).toEqual(['1>a/small#1'])
    h.node('b', [routed('best')])
    expect(h.ask('2', 'auto')).toEqual(['2>b/best#1'])
  })

  it('prefers a model that two nodes serve to a better one on a single node', () => {
    const h = harness(options)
    h.node('a', [routed('best')])
    h.node('b', [routed('common')])
    h.node('c', [routed('common')])
    expect(h.ask('1', 'auto')[0]).toMatch(/common/)
  })

  it('is the demo only while there is nothing else', () => {
    const h = harness(options)
    h.node('a', [routed('shoal-demo', { isDemo: true })])
    h.node('b', [routed('shoal-demo', { isDemo: true })])
    expect(h.ask('1', 'auto')[0]).toMatch(/shoal-demo/)
    h.node('c', [routed('unranked', { slotsTotal: 1 })])
    expect(h.ask('2', 'auto')).toEqual(['2>c/unranked#1'])
    expect(h.ask('3', 'auto')).toEqual([])
  })

  it('stands in one line with requests that name the model', () => {
    const h = harness(options)
    h.node('a', [routed('best', { slotsTotal: 1 })])
    h.ask('1', 'auto')
    h.ask('2', 'best')
    h.ask('3', 'auto')
    expect([...h.end('1', 'a'), ...h.end('2', 'a')]).toEqual(['2>a/best#1', '3>a/best#1'])
  })

  it('moves its waiting requests to the model that takes over when a node becomes suspect', () => {
    const h = harness(options)
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
