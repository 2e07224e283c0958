import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Deployment, type DeploymentView, deploymentId, ShoalError } from '@shoal/core'
import { createManualClock } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import { createFakeNode, type FakeNode, modelState } from '../testing/fake-node.ts'
import { startApp, type TestApp } from '../testing/start-app.ts'

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
/** What the controller does not look at without a known architecture. */
const file = (modelId: string) => ({ modelId, path: `/models/${modelId}.gguf`, sha256: null, manifest: { ...manifest } })
const manifest = {
  ...{ architecture: 'llama', name: null, quantization: 'Q8_0', parameterCount: 1e6, fileBytes: 1e6, contextTokensTrained: 4096 },
  tensorGroupBytes: { embedding: 1e5, output: 0, attention: 4e5, feedForward: 4e5, experts: 0, other: 1e5 },
  ...{ layerCount: 2, attentionLayerCount: 2, embeddingLength: 64, headCount: 2, headCountKv: 2, keyLength: 32, valueLength: 32 },
  ...{ slidingWindowTokens: null, vocabularySize: 300, expert: null, recurrentStateBytesPerSequence: 0, chatTemplate: null, isDemo: false },
}
const node = (id: string) => createFakeNode({ id, localModels: [file('tiny')] })
const summary = (view: DeploymentView | undefined) => view?.replicas.map(({ nodeId, status }) => `${nodeId} ${status}`)
const loaded = (fakes: readonly FakeNode[]) => fakes.flatMap(({ state }) => state.models.map(({ modelId }) => `${state.nodeId} ${modelId}`))

async function pass(clock: ReturnType<typeof createManualClock>, seconds: number, fakes: readonly FakeNode[]): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 0.5) {
    clock.advance(500)
    for (const fake of fakes) fake.beat()
    await settle()
  }
}

function request(gateway: TestApp, method: string, route = '', body?: object): Promise<Response> {
  const init = body === undefined ? { method } : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  return Promise.resolve(gateway.app.request(`/shoal/v1/deployments${route}`, init))
}

test('a deployment is answered at once, loaded on as many nodes as wished, and listed', async () => {
  const fakes = [node('a'), node('b'), node('c')]
  await using gateway = await startApp({ nodes: fakes, clock: createManualClock() })
  const response = await request(gateway, 'POST', '', { model: 'tiny', replicas: 2 })
  expect(response.status).toBe(202)
  const first = (await response.json()) as DeploymentView
  expect(first.deployment).toMatchObject({
    modelId: 'tiny',
    source: { kind: 'local', path: null },
    replicas: 2,
    contextTokens: null,
    slots: null,
  })
  await settle()
  const { deployments } = (await (await request(gateway, 'GET')).json()) as { deployments: DeploymentView[] }
  expect(deployments.map(({ deployment }) => deployment.deploymentId)).toEqual([first.deployment.deploymentId])
  expect(deployments[0]).toMatchObject({ readyReplicas: 2, reason: null })
  expect(loaded(fakes)).toHaveLength(2)
})

test('fewer nodes than replicas: what can be placed is placed, and the reason says what is missing', async () => {
  const fakes = [node('a')]
  await using gateway = await startApp({ nodes: fakes, clock: createManualClock() })
  const view = await gateway.controller.deploy({ model: 'tiny', replicas: 3 })
  await settle()
  expect(summary(gateway.controller.list()[0])).toEqual(['a ready'])
  expect(view.reason).toContain('1 of 3 replicas')
})

test('a node that comes later takes a missing replica', async () => {
  const fakes = [node('a')]
  await using gateway = await startApp({ nodes: fakes, clock: createManualClock() })
  await gateway.controller.deploy({ model: 'tiny', replicas: 2 })
  fakes.push(node('b'))
  gateway.nodes.setCandidates(fakes.map(({ address }) => ({ key: address, addresses: [address] })))
  await settle()
  await settle()
  expect(gateway.controller.list()[0]).toMatchObject({ readyReplicas: 2, reason: null })
})

test('an agent that restarts without its models loads them again', async () => {
  const clock = createManualClock()
  const fakes = [node('a')]
  await using gateway = await startApp({ nodes: fakes, clock })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  await settle()
  fakes[0]?.kill()
  await settle()
  expect(gateway.controller.list()[0]).toMatchObject({
    readyReplicas: 0,
    replicas: [{ status: 'waiting', error: 'The node is not connected.' }],
  })
  fakes[0]?.report({ models: [] })
  fakes[0]?.restart()
  await pass(clock, 3, fakes)
  expect(gateway.controller.list()[0]).toMatchObject({ readyReplicas: 1 })
})

test('a replica of a lost node moves only when the node stays away', async () => {
  const clock = createManualClock()
  const fakes = [node('a'), node('b')]
  await using gateway = await startApp({ nodes: fakes, clock })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  await settle()
  const [holder] = fakes.filter(({ state }) => state.models.length > 0)
  holder?.kill()
  await pass(clock, 25, fakes)
  expect(fakes.filter((fake) => fake !== holder && fake.state.models.length > 0)).toEqual([])
  await pass(clock, 10, fakes)
  expect(fakes.filter((fake) => fake !== holder && fake.state.models.length > 0)).toHaveLength(1)
  expect(gateway.controller.list()[0]).toMatchObject({ readyReplicas: 1 })
})

test('a load that fails is shown with its reason and tried again later, less and less often', async () => {
  const clock = createManualClock()
  const fakes = [node('a')]
  let tries = 0
  const [fake] = fakes
  if (fake === undefined) throw new Error('no node')
  fake.load = () => {
    tries++
    return Promise.reject(new ShoalError({ code: 'LOAD_FAILED', message: 'The engine would not.' }))
  }
  await using gateway = await startApp({ nodes: fakes, clock })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  await settle()
  expect(gateway.controller.list()[0]?.replicas).toMatchObject([
    { status: 'failed', error: expect.stringContaining('The engine would not.') },
  ])
  await pass(clock, 60, fakes)
  expect(tries).toBeGreaterThanOrEqual(4)
  expect(tries).toBeLessThanOrEqual(6)
  fake.load = () => Promise.resolve()
  await pass(clock, 60, fakes)
  expect(gateway.controller.list()[0]?.replicas).toMatchObject([{ status: 'ready', error: null }])
})

test('where one node cannot load, another takes the replica; where none can, they do not take turns faster than the back-off', async () => {
  const clock = createManualClock()
  const fakes = [node('a'), node('b')]
  const tries: string[] = []
  for (const fake of fakes) {
    fake.load = () => {
      tries.push(fake.state.nodeId)
      return Promise.reject(new ShoalError({ code: 'MODEL_DOES_NOT_FIT', message: 'too big' }))
    }
  }
  await using gateway = await startApp({ nodes: fakes, clock })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  await pass(clock, 1, fakes)
  expect([...tries].sort()).toEqual(['a', 'b'])
  await pass(clock, 60, fakes)
  expect(tries.length).toBeLessThanOrEqual(12)
  const [, second] = fakes
  if (second === undefined) throw new Error('no node')
  second.load = () => Promise.resolve()
  await pass(clock, 300, fakes)
  expect(summary(gateway.controller.list()[0])).toEqual(['b ready'])
})

test('deploying again asks for another number of replicas and retries what failed at once', async () => {
  const clock = createManualClock()
  const fakes = [node('a'), node('b')]
  await using gateway = await startApp({ nodes: fakes, clock })
  const one = await gateway.controller.deploy({ model: 'tiny', replicas: 2 })
  await settle()
  const two = await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  expect(two.deployment.deploymentId).toBe(one.deployment.deploymentId)
  await settle()
  expect(gateway.controller.list()).toHaveLength(1)
  expect(loaded(fakes)).toHaveLength(1)
})

test('another context length loads the model anew', async () => {
  const fakes = [node('a')]
  await using gateway = await startApp({ nodes: fakes, clock: createManualClock() })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1, contextTokens: 1024 })
  await settle()
  expect(fakes[0]?.state.models[0]?.contextTokens).toBe(1024)
  await gateway.controller.deploy({ model: 'tiny', replicas: 1, contextTokens: 2048 })
  for (let turn = 0; turn < 5; turn++) await settle()
  expect(fakes[0]?.state.models[0]?.contextTokens).toBe(2048)
})

test.each([
  ['context', { contextTokens: 1024 }, { contextTokens: 1024 }],
  ['slots', { slots: 2 }, { slotsTotal: 2 }],
])("a model its node's owner loaded is loaded anew when a deployment names another %s", async (_name, wish, expected) => {
  const fake = createFakeNode({ id: 'a', models: [modelState('tiny')], localModels: [file('tiny')] })
  const unloaded: string[] = []
  const { connect } = fake
  fake.connect = () => {
    const client = connect()
    const unloadModel: typeof client.unloadModel = (id, signal) => {
      unloaded.push(id)
      return client.unloadModel(id, signal)
    }
    return { ...client, unloadModel }
  }
  const loading = Promise.withResolvers<void>()
  fake.load = () => loading.promise
  await using gateway = await startApp({ nodes: [fake], clock: createManualClock() })
  const first = await gateway.controller.deploy({ model: 'tiny', replicas: 1, ...wish })
  expect(first.readyReplicas).toBe(0)
  for (let turn = 0; turn < 5; turn++) await settle()
  expect(unloaded).toEqual(['tiny'])
  expect(summary(gateway.controller.list()[0])).toEqual(['a waiting'])
  loading.resolve()
  for (let turn = 0; turn < 5; turn++) await settle()
  expect(fake.state.models).toMatchObject([expected])
  expect(gateway.controller.list()[0]).toMatchObject({ readyReplicas: 1 })
})

test('a deployment that names no shape, or the one there is, leaves a loaded model alone', async () => {
  const fake = createFakeNode({ id: 'a', models: [modelState('tiny')], localModels: [file('tiny')] })
  fake.load = () => Promise.reject(new Error('loaded anew'))
  await using gateway = await startApp({ nodes: [fake], clock: createManualClock() })
  expect(await gateway.controller.deploy({ model: 'tiny', replicas: 1 })).toMatchObject({ readyReplicas: 1 })
  expect(await gateway.controller.deploy({ model: 'tiny', replicas: 1, contextTokens: 4096, slots: 4 })).toMatchObject({ readyReplicas: 1 })
  // Beyond the training it is cut, and 4096 is what there is.
  expect(await gateway.controller.deploy({ model: 'tiny', replicas: 1, contextTokens: 100_000 })).toMatchObject({ readyReplicas: 1 })
})

test('a context beyond what the model was trained for is said to be cut, in the answer to the wish', async () => {
  await using gateway = await startApp({ nodes: [node('a')], clock: createManualClock() })
  const ask = async (contextTokens: number) =>
    (await (await request(gateway, 'POST', '', { model: 'tiny', replicas: 1, contextTokens })).json()) as DeploymentView
  expect(await ask(100_000)).toMatchObject({ reason: null, note: expect.stringContaining('trained for 4096 tokens of context') })
  expect(await ask(2048)).toMatchObject({ reason: null, note: null })
})

test('a node that loads another shape than it was told to is failed, with both numbers', async () => {
  const fake = node('a')
  const { connect } = fake
  fake.connect = () => {
    const client = connect()
    return { ...client, loadModel: (command, onProgress, signal) => client.loadModel({ ...command, slots: 1 }, onProgress, signal) }
  }
  await using gateway = await startApp({ nodes: [fake], clock: createManualClock() })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1, slots: 4 })
  for (let turn = 0; turn < 5; turn++) await settle()
  expect(gateway.controller.list()[0]).toMatchObject({
    readyReplicas: 0,
    replicas: [{ status: 'failed', error: expect.stringContaining('1 slots, not 4') }],
  })
})

test('a load on its way in a shape that is no longer wished for is replaced', async () => {
  const fake = node('a')
  const first = Promise.withResolvers<void>()
  fake.load = () => first.promise
  await using gateway = await startApp({ nodes: [fake], clock: createManualClock() })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1, slots: 4 })
  await gateway.controller.deploy({ model: 'tiny', replicas: 1, slots: 2 })
  first.resolve()
  for (let turn = 0; turn < 8; turn++) await settle()
  expect(fake.state.models).toMatchObject([{ slotsTotal: 2 }])
  expect(gateway.controller.list()[0]).toMatchObject({ readyReplicas: 1 })
})

test('a load that ends after its deployment was taken back starts no other', async () => {
  const fake = node('a')
  let loads = 0
  const loading = Promise.withResolvers<void>()
  fake.load = () => {
    loads++
    return loading.promise
  }
  await using gateway = await startApp({ nodes: [fake], clock: createManualClock() })
  const { deployment } = await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  await settle()
  await gateway.controller.remove(deployment.deploymentId)
  loading.reject(new ShoalError({ code: 'CANCELLED', message: 'unloaded meanwhile' }))
  for (let turn = 0; turn < 5; turn++) await settle()
  expect(loads).toBe(1)
  expect(fake.state.models).toEqual([])
})

test('a deployment that is taken back is unloaded everywhere', async () => {
  const fakes = [node('a'), node('b')]
  await using gateway = await startApp({ nodes: fakes, clock: createManualClock() })
  const { deployment } = await gateway.controller.deploy({ model: 'tiny', replicas: 2 })
  await settle()
  const response = await request(gateway, 'DELETE', `/${deployment.deploymentId}`)
  expect(response.status).toBe(200)
  await settle()
  expect(loaded(fakes)).toEqual([])
  expect(gateway.controller.list()).toEqual([])
  await expect(gateway.controller.remove(deploymentId('dep-nope'))).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
})

test('a restarted gateway remembers its deployments and waits for the nodes that still serve them', async () => {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'shoal-gateway-'))
  try {
    const clock = createManualClock()
    const fakes = [node('a'), node('b')]
    const before = await startApp({ nodes: fakes, clock, stateDir })
    const { deployment } = await before.controller.deploy({ model: 'tiny', replicas: 1 })
    await settle()
    await before[Symbol.asyncDispose]()
    const [other] = fakes.filter(({ state }) => state.models.length === 0)
    if (other === undefined) throw new Error('both nodes hold the model')
    await using after = await startApp({ nodes: [other], clock, stateDir })
    await pass(clock, 2, fakes)
    expect(after.controller.list()[0]?.deployment).toEqual(deployment)
    expect(other.state.models).toEqual([])
    await pass(clock, 2, fakes)
    expect(other.state.models).toHaveLength(1)
  } finally {
    await rm(stateDir, { recursive: true })
  }
})

test('what cannot be saved does not happen: deployments and what is loaded stay as they were', async () => {
  const fakes = [node('a')]
  let isFull = false
  let saved: readonly Deployment[] = []
  const write = (deployments: readonly Deployment[]) => {
    if (isFull) return Promise.reject(new ShoalError({ code: 'DISK_FULL', message: 'No space is left.' }))
    saved = deployments
    return Promise.resolve()
  }
  const store = { read: () => Promise.resolve([]), write }
  await using gateway = await startApp({ nodes: fakes, clock: createManualClock(), store })
  const { deployment } = await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
  await settle()
  isFull = true
  const refused = { code: 'DISK_FULL' }
  await expect(gateway.controller.remove(deployment.deploymentId)).rejects.toMatchObject(refused)
  await expect(gateway.controller.deploy({ model: 'tiny', replicas: 3, slots: 2 })).rejects.toMatchObject(refused)
  await expect(gateway.controller.deploy({ model: 'hf:o/r:Q4_K_M', replicas: 1 })).rejects.toMatchObject(refused)
  await settle()
  expect(gateway.controller.list()).toMatchObject([{ deployment, readyReplicas: 1 }])
  isFull = false
  const deploys = ['one', 'two'].map((name) => gateway.controller.deploy({ model: `hf:o/${name}:Q4_K_M`, replicas: 1 }))
  await Promise.all([...deploys, gateway.controller.remove(deployment.deploymentId)])
  expect(saved).toEqual(gateway.controller.list().map((view) => view.deployment))
  expect(saved).toHaveLength(2)
})

test('a damaged file of deployments is put aside and the gateway starts without it', async () => {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'shoal-gateway-'))
  try {
    await writeFile(path.join(stateDir, 'deployments.json'), '{"version":1,"deployments":[{"oops":1}]}')
    await using gateway = await startApp({ nodes: [node('a')], clock: createManualClock(), stateDir })
    expect(gateway.controller.list()).toEqual([])
    await gateway.controller.deploy({ model: 'tiny', replicas: 1 })
    expect(await readFile(path.join(stateDir, 'deployments.json'), 'utf8')).toContain('tiny')
  } finally {
    await rm(stateDir, { recursive: true })
  }
})

test.each([
  ['no model', { replicas: 1 }, 400, 'model'],
  ['no replicas', { model: 'tiny', replicas: 0 }, 400, 'replicas'],
  ['half a replica', { model: 'tiny', replicas: 1.5 }, 400, 'replicas'],
  ['no context', { model: 'tiny', replicas: 1, contextTokens: 0 }, 400, 'contextTokens'],
  ['a model nobody has', { model: 'nope', replicas: 1 }, 404, 'model'],
  ['a relative path', { model: './x.gguf', replicas: 1 }, 400, 'model'],
])('refuses %s, naming the field', async (_name, body, status, param) => {
  await using gateway = await startApp({ nodes: [node('a')], clock: createManualClock() })
  const response = await request(gateway, 'POST', '', body)
  expect(response.status).toBe(status)
  expect(((await response.json()) as { error: { param: string } }).error.param).toBe(param)
  expect(gateway.controller.list()).toEqual([])
})
