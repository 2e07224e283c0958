import { type ModelId, modelId, type NodeId, nodeId, type RequestId, requestId } from '@shoal/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { chooseAutoModel } from './choose-auto-model.ts'
import { chooseNode } from './choose-node.ts'
import { createIndexedHeap } from './indexed-heap.ts'
import { routingCounts } from './routing-counts.ts'
import type { AttemptOutcome, RoutingEffect, RoutingEvent } from './routing-events.ts'
import { createRoutingTable } from './routing-table.ts'
import { step } from './step.ts'

const nodeNames = ['a', 'b', 'c', 'd']
const modelNames = ['m', 'n', 'auto']
const outcomes: AttemptOutcome[] = ['finished', 'failed-other-node', 'failed', 'refused']
const queueMax = 8

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      model: fc.constantFrom(...modelNames),
      waitMs: fc.integer({ min: 1, max: 900 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('end' as const), pick: fc.nat(), outcome: fc.constantFrom(...outcomes) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), node: fc.constantFrom(...nodeNames) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      node: fc.constantFrom(...nodeNames),
      restart: fc.boolean(),
      draining: fc.boolean(),
      suspect: fc.boolean(),
      models: fc.uniqueArray(
        fc.record({
          modelId: fc.constantFrom('m', 'n').map(modelId),
          status: fc.constantFrom('ready' as const, 'ready' as const, 'ready' as const, 'loading' as const, 'failed' as const),
          isDemo: fc.constant(false),
          slotsTotal: fc.integer({ min: 0, max: 3 }),
          slotsUsed: fc.integer({ min: 0, max: 3 }),
          tokensPerSecond: fc.option(fc.integer({ min: 1, max: 99 })),
        }),
        { selector: (model) => model.modelId },
      ),
    }),
  },
)

/** Every run starts from a working cluster, else most of it would be rejections. */
const serving = ['m', 'n'].map((name) => {
  const facts = { status: 'ready' as const, isDemo: false, slotsTotal: 2, slotsUsed: 0, tokensPerSecond: null }
  return { modelId: modelId(name), ...facts }
})

type Action = typeof action extends fc.Arbitrary<infer Value> ? Value : never

interface Seen {
  readonly wanted: string
  readonly sequence: number
  state: 'waiting' | 'running' | 'over'
  cancelled: boolean
  node: NodeId | null
  /** Node and incarnation that got it last. */
  start: string
  model: ModelId | null
  failedOn: Set<string>
  deadlineMs: number
}

/** An independent ledger of what the effects promise; every rule of the table is an expectation here. */
function createLedger() {
  const table = createRoutingTable({ queueMax, attemptsMax: 3, goneMemoryMs: 1500 })
  const seen = new Map<RequestId, Seen>()
  const slotsTotal = new Map<string, number>()
  const takes = new Map<string, boolean>()
  const incarnations = new Map<string, number>()
  const versions = new Map<string, number>()
  let nowMs = 0
  const running = (node: string, model: string) =>
    [...seen.values()].filter((entry) => entry.state === 'running' && entry.node === node && entry.model === model).length

  const check = (effect: RoutingEffect): void => {
    const entry = seen.get(effect.requestId)
    if (entry === undefined) throw new Error(`effect for unknown ${effect.requestId}`)
    expect(entry.state).toBe('waiting')
    expect(entry.cancelled).toBe(false)
    if (effect.kind === 'reject') {
      entry.state = 'over'
      return
    }
    const place = `${effect.nodeId} ${effect.modelId}`
    expect(entry.wanted === 'auto' || entry.wanted === effect.modelId).toBe(true)
    expect(takes.get(place)).toBe(true)
    const start = `${effect.nodeId}@${incarnations.get(effect.nodeId)}`
    expect(entry.failedOn.has(start)).toBe(false)
    expect(entry.failedOn.size).toBeLessThan(3)
    expect(entry.deadlineMs).toBeGreaterThan(nowMs)
    for (const other of seen.values()) {
      const isEarlier = other.state === 'waiting' && other.wanted === entry.wanted && other.sequence < entry.sequence
      // `auto` may mean another model to a request that other nodes have failed; it then waits in that model's line.
      const isInLine = other.wanted !== 'auto' || chooseAutoModel(table, [...other.failedOn]) === effect.modelId
      if (isEarlier && isInLine) expect(other.failedOn.has(start)).toBe(true)
    }
    Object.assign(entry, { state: 'running', node: effect.nodeId, model: effect.modelId, start })
    expect(running(effect.nodeId, effect.modelId)).toBeLessThanOrEqual(slotsTotal.get(place) ?? 0)
  }

  const apply = (event: RoutingEvent): void => {
    for (const effect of step(table, event).effects) check(effect)
    const counts = routingCounts(table)
    const live = [...seen.values()].filter((entry) => entry.state !== 'over')
    expect(counts.running).toBe(live.filter((entry) => entry.state === 'running').length)
    expect(counts.waiting).toBe(live.filter((entry) => entry.state === 'waiting').length)
    const newcomers = live.filter((entry) => entry.state === 'waiting' && entry.node === null).length
    expect(newcomers).toBeLessThanOrEqual(queueMax)
    for (const { wanted, excluded } of table.lanes.values()) {
      const model = wanted === 'auto' ? chooseAutoModel(table, excluded) : wanted
      expect(model === null || chooseNode(table, model, excluded) === null).toBe(true)
    }
  }

  const end = (id: RequestId, entry: Seen, outcome: AttemptOutcome): void => {
    if (entry.node === null) return
    const comesBack = (outcome === 'failed-other-node' || outcome === 'refused') && !entry.cancelled
    if (outcome === 'failed-other-node') entry.failedOn.add(entry.start)
    entry.state = comesBack ? 'waiting' : 'over'
    apply({ kind: 'attemptEnded', nowMs, requestId: id, nodeId: entry.node, outcome })
  }

  const ask = (model: string, waitMs: number): void => {
    const id = requestId(`r${seen.size}`)
    const deadlineMs = nowMs + waitMs
    const fresh = { cancelled: false, node: null, start: '', model: null, failedOn: new Set<string>(), deadlineMs }
    seen.set(id, { wanted: model, sequence: seen.size, state: 'waiting', ...fresh })
    apply({ kind: 'requested', nowMs, requestId: id, model: model === 'auto' ? 'auto' : modelId(model), deadlineMs })
  }

  const report = (facts: Extract<Action, { do: 'report' }>): void => {
    const { node, restart, draining, suspect, models } = facts
    if (restart) incarnations.set(node, (incarnations.get(node) ?? 0) + 1)
    versions.set(node, (versions.get(node) ?? 0) + 1)
    for (const model of modelNames) takes.delete(`${node} ${model}`)
    for (const model of models) {
      takes.set(`${node} ${model.modelId}`, model.status === 'ready' && !draining && !suspect)
      slotsTotal.set(`${node} ${model.modelId}`, model.slotsTotal)
    }
    const incarnation = `${incarnations.get(node)}`
    const version = versions.get(node) ?? 0
    apply({ kind: 'nodeChanged', nowMs, nodeId: nodeId(node), incarnation, version, draining, suspect, models })
  }

  const run = (step: Action): void => {
    const pickFrom = (state: Seen['state'], pick: number) => {
      const all = [...seen].filter(([, entry]) => entry.state === state && (state === 'running' || !entry.cancelled))
      return all[pick % Math.max(1, all.length)]
    }
    if (step.do === 'ask') ask(step.model, step.waitMs)
    if (step.do === 'report') report(step)
    if (step.do === 'tick') {
      nowMs += step.ms
      apply({ kind: 'tick', nowMs })
    }
    if (step.do === 'lose') {
      for (const model of modelNames) takes.delete(`${step.node} ${model}`)
      apply({ kind: 'nodeLost', nowMs, nodeId: nodeId(step.node) })
    }
    if (step.do === 'end') {
      const picked = pickFrom('running', step.pick)
      if (picked !== undefined) end(picked[0], picked[1], step.outcome)
    }
    if (step.do === 'cancel') {
      const picked = step.pick % 2 === 0 ? pickFrom('waiting', step.pick >> 1) : pickFrom('running', step.pick >> 1)
      if (picked !== undefined) {
        picked[1].cancelled = true
        if (picked[1].state === 'waiting') picked[1].state = 'over'
        apply({ kind: 'cancelled', nowMs, requestId: picked[0] })
      }
    }
  }

  /** Ends what runs and lets every deadline pass: nothing may be left over. */
  const settle = (): void => {
    for (let rounds = 0; rounds < 1000; rounds++) {
      const picked = [...seen].find(([, entry]) => entry.state === 'running')
      if (picked === undefined) break
      end(picked[0], picked[1], 'finished')
    }
    nowMs += 10_000
    apply({ kind: 'tick', nowMs })
  }
  return { table, seen, run, settle }
}

it('loses no request, dispatches none twice, leaves none waiting beside a free slot, keeps slots, queue bound, order and exclusions', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 150, size: 'max' }), (actions) => {
      const ledger = createLedger()
      for (const node of nodeNames) ledger.run({ do: 'report', node, restart: false, draining: false, suspect: false, models: serving })
      for (const step of actions) ledger.run(step)
      ledger.settle()
      expect([...ledger.seen.values()].filter((entry) => entry.state !== 'over' && !entry.cancelled)).toEqual([])
      expect(routingCounts(ledger.table).waiting).toBe(0)
      expect(ledger.table.lanes.size).toBe(0)
      expect(ledger.table.deadlines.size).toBe(0)
      expect(ledger.table.ownRunning.size).toBe(0)
    }),
    { numRuns: 400 },
  )
})

it('sorts like an array, with removals from the middle', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.array(fc.nat()), (values, removals) => {
      const heap = createIndexedHeap<number>((a, b) => a < b)
      const entries = values.map((value) => heap.push(value))
      const kept = [...entries]
      for (const removal of removals) {
        const [gone] = kept.splice(removal % Math.max(1, kept.length), 1)
        if (gone === undefined) break
        heap.remove(gone)
        heap.remove(gone)
      }
      expect(heap.size).toBe(kept.length)
      const popped: number[] = []
      for (let value = heap.pop(); value !== undefined; value = heap.pop()) popped.push(value)
      expect(popped).toEqual(kept.map((entry) => entry.value).toSorted((a, b) => a - b))
    }),
  )
})

it('answers 10,000 requests at once and drains them without copying the queue', () => {
  const table = createRoutingTable({ queueMax: 9000, waitMaxMs: 1e9 })
  const nodes = Array.from({ length: 50 }, (_, index) => nodeId(`n${index}`))
  const model = { modelId: modelId('m'), status: 'ready' as const, isDemo: false, slotsTotal: 2, slotsUsed: 0, tokensPerSecond: 10 }
  const running: Extract<RoutingEffect, { kind: 'dispatch' }>[] = []
  let rejected = 0
  const apply = (event: RoutingEvent): void => {
    for (const effect of step(table, event).effects) {
      if (effect.kind === 'dispatch') running.push(effect)
      else rejected += 1
    }
  }
  for (const node of nodes) {
    apply({ kind: 'nodeChanged', nowMs: 0, nodeId: node, incarnation: 'i', version: 1, draining: false, suspect: false, models: [model] })
  }
  for (let index = 0; index < 10_000; index++) apply({ kind: 'requested', nowMs: 1, requestId: requestId(`r${index}`), model: 'auto' })
  expect(running.length).toBe(100)
  expect(rejected).toBe(900)
  const order: string[] = []
  for (let next = running.shift(); next !== undefined; next = running.shift()) {
    order.push(next.requestId)
    apply({ kind: 'attemptEnded', nowMs: 2, requestId: next.requestId, nodeId: next.nodeId, outcome: 'finished' })
  }
  expect(order).toEqual(Array.from({ length: 9100 }, (_, index) => `r${index}`))
})
