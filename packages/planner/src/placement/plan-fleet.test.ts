import { modelId, type NodeId, nodeId } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { catalogCandidates } from '../sizing/candidates.ts'
import { type MachineFacts, machine, manifest } from '../testing/fixtures.ts'
import type { PlacementNode } from './placement-nodes.ts'
import { type FleetPlan, planFleet } from './plan-fleet.ts'

interface NodeFacts extends MachineFacts {
  readonly serves?: string
  readonly draining?: boolean
  readonly files?: readonly string[]
}

const laptop: NodeFacts = { gibibytes: 16, bandwidth: 80, hasBattery: true }
const pi: NodeFacts = { gibibytes: 8, bandwidth: 16 }
const box: NodeFacts = { gibibytes: 64, gpu: { name: 'NVIDIA GeForce RTX 4090', gibibytes: 24 } }

const node = (name: string, facts: NodeFacts): PlacementNode => ({
  nodeId: nodeId(name),
  hostname: name,
  profile: machine({ hostname: name, ...facts }),
  draining: facts.draining ?? false,
  suspect: false,
  models:
    facts.serves === undefined
      ? []
      : [{ modelId: modelId(facts.serves), isDemo: facts.serves === 'shoal-demo', isReady: true, bytes: 0, mappedBytes: 0 }],
  localModels: (facts.files ?? []).map((id) => ({
    modelId: id,
    path: `/m/${id}.gguf`,
    sha256: null,
    manifest: manifest({ fileBytes: 2e9 }),
  })),
})

const plan = (nodes: Readonly<Record<string, NodeFacts>>, fetchable = catalogCandidates()): FleetPlan =>
  planFleet({ nodes: Object.entries(nodes).map(([name, facts]) => node(name, facts)), fetchable })
const groupsOf = ({ groups }: FleetPlan): Record<string, readonly NodeId[]> =>
  Object.fromEntries(groups.map((group) => [group.name, [...group.added].toSorted()]))

describe('planFleet', () => {
  it('gives equal machines one model', () => {
    const result = plan({ a: laptop, b: laptop, c: laptop })
    expect(Object.values(groupsOf(result))).toEqual([['a', 'b', 'c']])
    expect(result.groups[0]).toMatchObject({ source: { kind: 'hub' }, present: [] })
    expect(result.groups[0]?.reason).toMatch(/^3 nodes can serve it/)
  })

  it('prefers one good model on all machines to a better one on the strongest', () => {
    const single = plan({ strong: { ...box, bandwidth: 60 } }).groups[0]
    const mixed = plan({ strong: { ...box, bandwidth: 60 }, a: laptop, b: laptop })
    expect(mixed.groups).toHaveLength(1)
    expect(mixed.groups[0]?.added).toHaveLength(3)
    expect(mixed.groups[0]?.modelId).not.toBe(single?.modelId)
  })

  it('lets a strong machine among weak ones keep a model of its own', () => {
    const result = groupsOf(plan({ strong: box, p1: pi, p2: pi }))
    expect(Object.values(result).toSorted((a, b) => a.length - b.length)).toEqual([['strong'], ['p1', 'p2']])
  })

  it('is one node, too', () => {
    const result = plan({ a: laptop })
    expect(result.groups).toHaveLength(1)
    expect(result.groups[0]?.reason).toMatch(/^the best model for a/)
  })

  it('leaves what is served and joins it', () => {
    const served = 'unsloth/Qwen3.5-9B-GGUF:Q4_K_M'
    const result = plan({ a: { ...laptop, serves: served }, b: laptop })
    expect(result.groups).toEqual([expect.objectContaining({ modelId: served, present: ['a'], added: ['b'] })])
    expect(plan({ a: { ...laptop, serves: served } }).groups).toEqual([])
  })

  it('replaces a demo', () => {
    expect(plan({ a: { ...laptop, serves: 'shoal-demo' } }).groups[0]?.added).toEqual(['a'])
  })

  it('without the hub uses the files that are there, by name and not by path', () => {
    const offline = plan({ a: { ...laptop, files: ['own'] }, b: { ...laptop, files: ['own', 'other'] }, c: laptop }, [])
    expect(offline.groups).toEqual([expect.objectContaining({ modelId: 'own', added: ['a', 'b'], source: { kind: 'local', path: null } })])
    expect(offline.idle).toEqual([{ nodeId: 'c', hostname: 'c', reason: 'no model fits' }])
  })

  it('fetches for the rest what some have already', () => {
    const id = 'unsloth/Qwen3.5-4B-GGUF:Q4_K_M'
    const four = catalogCandidates().filter((candidate) => candidate.modelId === id)
    const result = plan({ a: { ...laptop, files: [id] }, b: laptop }, four)
    expect(result.groups).toEqual([
      expect.objectContaining({ modelId: id, added: ['a', 'b'], source: expect.objectContaining({ kind: 'hub' }) }),
    ])
  })

  it('gives draining nodes and those too small nothing, and says so', () => {
    expect(plan({ a: { ...laptop, draining: true }, tiny: { gibibytes: 1 } })).toEqual({
      groups: [],
      idle: [
        { nodeId: 'a', hostname: 'a', reason: 'is draining' },
        { nodeId: 'tiny', hostname: 'tiny', reason: 'no model fits' },
      ],
    })
  })

  it('places every node exactly once, and comes to rest', () => {
    const facts = fc.constantFrom(laptop, pi, box, { gibibytes: 1 }, { gibibytes: 32, bandwidth: null })
    fc.assert(
      fc.property(fc.array(facts, { minLength: 1, maxLength: 5 }), (all) => {
        const nodes = Object.fromEntries(all.map((each, index) => [`n${index}`, each]))
        const result = plan(nodes)
        const placed = [...result.groups.flatMap((group) => group.added), ...result.idle.map((each) => each.nodeId)]
        expect(placed.toSorted()).toEqual(Object.keys(nodes).toSorted())
        const then = Object.fromEntries(
          Object.entries(nodes).map(([name, each]) => {
            const serves = result.groups.find((group) => group.added.includes(nodeId(name)))?.modelId
            return [name, serves === undefined ? each : { ...each, serves }]
          }),
        )
        expect(plan(then).groups).toEqual([])
      }),
      { numRuns: 30 },
    )
  })
})
