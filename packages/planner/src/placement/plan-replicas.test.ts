import { type ModelId, modelId, type NodeId, type NodeView, nodeId } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findCatalogEntry } from '../catalog/catalog.ts'
import { dimensionsOfEntry } from '../sizing/model-dimensions.ts'
import { gibibyte, type MachineFacts, machine, manifest } from '../testing/fixtures.ts'
import { type PlacementNode, placementNode } from './placement-nodes.ts'
import { planReplicas, type ReplicaQuery } from './plan-replicas.ts'

const wanted = modelId('unsloth/Qwen3.5-4B-GGUF:Q4_K_M')
const entry = findCatalogEntry('unsloth/Qwen3.5-4B-GGUF', 'Q4_K_M')
if (entry === null) throw new Error('not in the catalog')
const dimensions = dimensionsOfEntry(entry)

interface NodeFacts extends Partial<MachineFacts> {
  readonly draining?: boolean
  readonly suspect?: boolean
  readonly serves?: readonly string[]
  readonly loads?: readonly string[]
  readonly demoBytes?: number
  readonly mappedBytes?: number
  readonly file?: boolean
}

function node(name: string, facts: NodeFacts = {}): PlacementNode {
  const mappedBytes = facts.mappedBytes ?? 0
  const model = (id: ModelId, isReady: boolean) => ({ modelId: id, isDemo: false, isReady, bytes: 2 * gibibyte, mappedBytes })
  const demo = { modelId: modelId('shoal-demo'), isDemo: true, isReady: true, bytes: facts.demoBytes ?? 0, mappedBytes: 0 }
  return {
    nodeId: nodeId(name),
    hostname: name,
    profile: machine({ gibibytes: 16, hostname: name, ...facts }),
    draining: facts.draining ?? false,
    suspect: facts.suspect ?? false,
    models: [
      ...(facts.serves ?? []).map((id) => model(modelId(id), true)),
      ...(facts.loads ?? []).map((id) => model(modelId(id), false)),
      ...(facts.demoBytes === undefined ? [] : [demo]),
    ],
    localModels: facts.file === true ? [{ modelId: wanted, path: '/m', sha256: null, manifest: manifest() }] : [],
  }
}

const plan = (nodes: readonly PlacementNode[], query: Partial<ReplicaQuery> = {}) =>
  planReplicas({ nodes, modelId: wanted, dimensions, replicas: 1, ...query })
const ids = (...names: string[]): NodeId[] => names.map(nodeId)

describe('choosing nodes', () => {
  it('goes to nodes that have it loaded, then to idle ones, then to those with the file, then to faster and roomier ones', () => {
    const nodes = [
      node('roomy', { gibibytes: 64 }),
      node('busy', { gibibytes: 64, serves: ['other'], file: true }),
      node('fast', { bandwidth: 100 }),
      node('file', { file: true }),
      node('coming', { loads: [wanted] }),
      node('serving', { serves: [wanted] }),
      node('plain'),
    ]
    expect(plan(nodes, { replicas: 7 }).nodeIds).toEqual(ids('serving', 'coming', 'file', 'fast', 'roomy', 'plain', 'busy'))
  })

  it('says of every node that takes none why', () => {
    const nodes = [
      node('small', { gibibytes: 2 }),
      node('full', { diskGibibytes: 1 }),
      node('leaving', { draining: true }),
      node('silent', { suspect: true }),
    ]
    const { nodeIds, refusals, reason } = plan(nodes, { replicas: 2 })
    expect(nodeIds).toEqual([])
    expect(refusals.map(({ hostname, kind }) => [hostname, kind])).toEqual([
      ['small', 'does-not-fit'],
      ['full', 'no-disk'],
      ['leaving', 'draining'],
      ['silent', 'suspect'],
    ])
    expect(reason).toMatch(
      /^0 of 2 replicas are placed on 4 nodes: small needs .* GiB of RAM .*; full has no room .*; silent does not answer\.$/,
    )
  })

  it('says what is missing when there are too few nodes', () => {
    expect(plan([], { replicas: 1 }).reason).toBe('No node is connected.')
    expect(plan([node('a')], { replicas: 2 }).reason).toBe('1 of 2 replicas are placed on 1 node; a node holds one replica at most.')
    expect(plan([node('a')]).reason).toBeNull()
  })

  it('takes only nodes with the file when it cannot be fetched, and only those that have it loaded while others are expected', () => {
    const nodes = [node('a'), node('b', { file: true }), node('c', { loads: [wanted] })]
    expect(plan(nodes, { replicas: 3, only: 'file' }).nodeIds).toEqual(ids('c', 'b'))
    expect(plan(nodes, { replicas: 3, only: 'loaded' }).nodeIds).toEqual(ids('c'))
  })

  it('tries a node where it failed only when there is no other', () => {
    const nodes = [node('a', { file: true }), node('b')]
    const failedNodeIds = new Set(ids('a'))
    expect(plan(nodes, { failedNodeIds }).nodeIds).toEqual(ids('b'))
    expect(plan(nodes, { failedNodeIds, replicas: 2 }).nodeIds).toEqual(ids('b', 'a'))
  })

  it('places a model of which nothing is known, and leaves the check to the agent', () => {
    expect(plan([node('a', { gibibytes: 1 })], { dimensions: null }).nodeIds).toEqual(ids('a'))
  })

  it('lets slots and context be given up only where they were not asked for', () => {
    const tight = [node('a', { gibibytes: 8, freeGibibytes: 4.4 })]
    expect(plan(tight).nodeIds).toEqual(ids('a'))
    expect(plan(tight, { slots: 4, contextTokens: 8192 }).refusals[0]?.kind).toBe('does-not-fit')
    expect(plan(tight, { slots: 1, contextTokens: 4096 }).nodeIds).toEqual(ids('a'))
  })

  it('counts what is on its way as taken and what a demo holds as free', () => {
    const tight = { gibibytes: 8, freeGibibytes: 5 }
    expect(plan([node('a', tight)]).nodeIds).toEqual(ids('a'))
    expect(plan([node('a', { ...tight, loads: ['other'] })]).nodeIds).toEqual([])
    expect(plan([node('a', { ...tight, serves: ['other'] })]).nodeIds).toEqual(ids('a'))
    expect(plan([node('a', { ...tight, serves: ['other'], mappedBytes: 2 * gibibyte })]).nodeIds).toEqual([])
    expect(plan([node('a', { gibibytes: 8, freeGibibytes: 3, demoBytes: 2 * gibibyte })]).nodeIds).toEqual(ids('a'))
  })
})

describe('staying where it is', () => {
  it('keeps replicas on suspect and absent nodes, and when better ones have come', () => {
    const nodes = [node('better', { gibibytes: 64, file: true }), node('old', { suspect: true })]
    const result = plan(nodes, { replicas: 2, current: ids('old', 'away') })
    expect(result).toMatchObject({ nodeIds: ids('old', 'away'), added: [], removed: [], leaving: [] })
  })

  it('replaces a replica on a draining node and leaves that one to itself', () => {
    const result = plan([node('a', { draining: true, serves: [wanted] }), node('b')], { current: ids('a') })
    expect(result).toMatchObject({ nodeIds: ids('b'), added: ids('b'), removed: [], leaving: ids('a') })
  })

  it('gives up the newest first, and those that do not serve yet before those that do', () => {
    const nodes = [node('a', { loads: [wanted] }), node('b', { serves: [wanted] }), node('c', { serves: [wanted] })]
    expect(plan(nodes, { replicas: 2, current: ids('a', 'b', 'c') })).toMatchObject({ nodeIds: ids('b', 'c'), removed: ids('a') })
    expect(plan(nodes, { replicas: 1, current: ids('a', 'b', 'c') })).toMatchObject({ nodeIds: ids('b'), removed: ids('a', 'c') })
  })

  it('comes to rest: planning again with its own result changes nothing, whatever the nodes', () => {
    const facts = fc.record({
      gibibytes: fc.integer({ min: 1, max: 64 }),
      draining: fc.boolean(),
      suspect: fc.boolean(),
      file: fc.boolean(),
      serves: fc.constantFrom([], [wanted], ['other']),
    })
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 8 }), fc.nat(6), fc.array(fc.nat(7), { maxLength: 3 }), (all, replicas, held) => {
        const nodes = all.map((each, index) => node(`n${index}`, each))
        const first = plan(nodes, { replicas, current: [...new Set(held)].map((index) => nodeId(`n${index}`)) })
        expect(new Set(first.nodeIds).size).toBe(first.nodeIds.length)
        expect(first.nodeIds.length).toBeLessThanOrEqual(replicas)
        expect(first.reason === null).toBe(first.nodeIds.length === replicas)
        for (const added of first.added)
          expect(nodes.find((each) => each.nodeId === added)).toMatchObject({ draining: false, suspect: false })
        const again = plan(nodes, { replicas, current: first.nodeIds })
        expect(again).toMatchObject({ nodeIds: first.nodeIds, added: [], removed: [] })
      }),
    )
  })
})

it("takes what placement needs from the gateway's view of a node", () => {
  const state = (modelName: string, status: string, residentBytes: number | null) => ({
    modelId: modelId(modelName),
    status,
    isDemo: false,
    plannedBytes: 5,
    facts: residentBytes === null ? null : { residentBytes, vramBytes: 2, gpuLayers: 0 },
  })
  const view = {
    nodeId: nodeId('n'),
    liveness: 'suspect',
    description: {
      profile: machine({ gibibytes: 4, hostname: 'host' }),
      localModels: [{ modelId: 'a', manifest: manifest({ fileBytes: 4 }) }],
    },
    state: { draining: true, models: [state('a', 'ready', 7), state('b', 'loading', null), state('c', 'failed', null)] },
  } as unknown as NodeView
  expect(placementNode(view)).toMatchObject({
    hostname: 'host',
    draining: true,
    suspect: true,
    models: [
      { modelId: 'a', isDemo: false, isReady: true, bytes: 9, mappedBytes: 4 },
      { modelId: 'b', isDemo: false, isReady: false, bytes: 5, mappedBytes: 0 },
    ],
  })
})
