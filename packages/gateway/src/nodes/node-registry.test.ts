import { type Clock, nodeId, ShoalError } from '@shoal/core'
import { createFakeLog, createManualClock } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import { createFakeNode, type FakeNode, modelState } from '../testing/fake-node.ts'
import { createNodeRegistry, type NodeRegistry, type RegistryChange } from './node-registry.ts'

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Moves the clock in steps of a tick and lets what became due run. */
async function pass(clock: ReturnType<typeof createManualClock>, ms: number, each: () => void = () => {}): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    clock.advance(100)
    each()
    await settle()
  }
}

function createTestRegistry(fakes: readonly FakeNode[], clock: Clock, unreachable: readonly string[] = []) {
  const log = createFakeLog()
  const connects: string[] = []
  const never = new Promise<never>(() => {})
  const registry = createNodeRegistry({
    clock,
    log,
    random: () => 1,
    connect(address) {
      connects.push(address)
      const fake = fakes.find((each) => each.address === address)
      if (fake !== undefined) return fake.connect()
      const client = createFakeNode({ id: 'nobody', address }).connect()
      const refuse = () => Promise.reject(new ShoalError({ code: 'NODE_LOST', message: `nothing listens at ${address}` }))
      return { ...client, describe: unreachable.includes(address) ? () => never : refuse }
    },
  })
  return { registry, log, connects }
}

const names = (registry: NodeRegistry) => registry.view().nodes.map((node) => `${node.nodeId}@${node.address} ${node.liveness}`)
const candidate = (...addresses: string[]) => ({ key: addresses.join(), addresses })

test('a candidate that answers is in the view with its first report, and its changes follow', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a', models: [modelState('m')] })
  const { registry } = createTestRegistry([node], clock)
  await using _registry = registry
  const changes: RegistryChange['kind'][] = []
  registry.onChange((change) => changes.push(change.kind))
  registry.setCandidates([candidate(node.address)])
  await settle()
  expect(names(registry)).toEqual(['a@a:7412 connected'])
  node.report({ models: [modelState('m', { slotsUsed: 2 })] })
  expect(registry.view().nodes[0]?.state.models[0]?.slotsUsed).toBe(2)
  node.beat()
  expect(changes).toEqual(['changed', 'changed'])
  expect(registry.clientOf(nodeId('a'))).not.toBeNull()
})

test('a node whose stream breaks leaves the view at once and comes back when it answers again', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a' })
  const { registry } = createTestRegistry([node], clock)
  await using _registry = registry
  registry.setCandidates([candidate(node.address)])
  await settle()
  node.kill()
  await settle()
  expect(names(registry)).toEqual([])
  expect(registry.clientOf(nodeId('a'))).toBeNull()
  await pass(clock, 30_000)
  expect(names(registry)).toEqual([])
  node.restart()
  await pass(clock, 1100)
  expect(names(registry)).toEqual(['a@a:7412 connected'])
  expect(registry.view().nodes[0]?.state.incarnation).toBe('a-2')
})

test('a node that falls silent without a broken stream is suspect within 1.5 seconds and gone within 3', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a' })
  const { registry } = createTestRegistry([node], clock)
  await using _registry = registry
  registry.setCandidates([candidate(node.address)])
  await settle()
  await pass(clock, 5000, () => node.beat())
  expect(names(registry)).toEqual(['a@a:7412 connected'])
  await pass(clock, 1500)
  expect(names(registry)).toEqual(['a@a:7412 suspect'])
  node.beat()
  expect(names(registry)).toEqual(['a@a:7412 connected'])
  const gone: RegistryChange[] = []
  registry.onChange((change) => gone.push(change))
  await pass(clock, 3000)
  expect(gone.some((change) => change.kind === 'lost' && change.nodeId === 'a')).toBe(true)
})

test('one node at two candidates is one node; when the first way breaks the other takes over', async () => {
  const clock = createManualClock()
  const wired = createFakeNode({ id: 'a', address: '10.0.0.1:7412' })
  const wireless = createFakeNode({ id: 'a', address: '10.0.1.1:7412' })
  const { registry } = createTestRegistry([wired, wireless], clock)
  await using _registry = registry
  registry.setCandidates([candidate(wired.address), candidate(wireless.address)])
  await settle()
  await pass(clock, 1000, () => wired.beat())
  expect(names(registry)).toEqual(['a@10.0.0.1:7412 connected'])
  wired.kill()
  await settle()
  await pass(clock, 100)
  expect(names(registry)).toEqual(['a@10.0.1.1:7412 connected'])
})

test('of several addresses of one candidate the first that answers is used', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a', address: '10.0.0.2:7412' })
  const { registry, connects } = createTestRegistry([node], clock, ['10.9.9.9:7412'])
  await using _registry = registry
  registry.setCandidates([candidate('10.9.9.9:7412', node.address)])
  await pass(clock, 300)
  expect(connects).toEqual(['10.9.9.9:7412', '10.0.0.2:7412'])
  expect(names(registry)).toEqual(['a@10.0.0.2:7412 connected'])
})

test('a candidate that is no longer named stays while its stream lives, and is not sought again afterwards', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a' })
  const { registry, connects } = createTestRegistry([node], clock)
  await using _registry = registry
  registry.setCandidates([candidate(node.address)])
  await settle()
  registry.setCandidates([])
  await pass(clock, 2000, () => node.beat())
  expect(names(registry)).toEqual(['a@a:7412 connected'])
  node.kill()
  await settle()
  node.restart()
  await pass(clock, 20_000)
  expect(names(registry)).toEqual([])
  expect(connects).toEqual(['a:7412'])
})

test('a report that is older than the known one changes nothing, and one of a restarted agent replaces it', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a', models: [modelState('m', { slotsUsed: 1 })] })
  const { registry } = createTestRegistry([node], clock)
  await using _registry = registry
  registry.setCandidates([candidate(node.address)])
  await settle()
  node.report({ models: [modelState('m', { slotsUsed: 2 })] })
  node.report({ incarnation: 'second', models: [] })
  expect(registry.view().nodes[0]?.state).toMatchObject({ incarnation: 'second', version: 1, models: [] })
})

test('files that appear while a model loads are known afterwards', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a', models: [modelState('m', { status: 'downloading' })] })
  const { registry } = createTestRegistry([node], clock)
  await using _registry = registry
  registry.setCandidates([candidate(node.address)])
  await settle()
  node.describe({ shoalVersion: '9.9.9' })
  expect(registry.view().nodes[0]?.description.shoalVersion).toBe('0.1.0')
  node.report({ models: [modelState('m')] })
  await settle()
  expect(registry.view().nodes[0]?.description.shoalVersion).toBe('9.9.9')
})

test('an agent of another protocol version is left out, with the reason in the log', async () => {
  const clock = createManualClock()
  const node = createFakeNode({ id: 'a' })
  node.describe({ protocolVersion: 99 })
  const { registry, log } = createTestRegistry([node], clock)
  await using _registry = registry
  registry.setCandidates([candidate(node.address)])
  await pass(clock, 1000)
  expect(names(registry)).toEqual([])
  expect(log.entries.filter(({ fields }) => String(fields.reason).includes('version 99'))).toHaveLength(1)
})

test.each([
  [true, 'warn'],
  [false, 'info'],
])('a candidate that nobody answers at (named by a person: %s) is one line at level %s', async (isNamed, level) => {
  const clock = createManualClock()
  const { registry, log } = createTestRegistry([], clock)
  await using _registry = registry
  registry.setCandidates([{ ...candidate('10.0.0.9:7412'), isNamed }])
  await pass(clock, 20_000)
  expect(log.entries).toMatchObject([{ level, fields: { addresses: ['10.0.0.9:7412'], reason: 'nothing listens at 10.0.0.9:7412' } }])
})
