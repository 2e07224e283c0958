import type { Clock } from '@shoal/core'
import { createFakeLog, type FakeLog } from '@shoal/core/testing'
import { createMetrics, systemClock } from '@shoal/runtime'
import { createGatewayApp } from '../app.ts'
import { type Controller, startController } from '../controller/controller.ts'
import { createDeploymentStore, type DeploymentStore } from '../controller/deployment-store.ts'
import { createDispatcher, type Dispatcher } from '../dispatcher/dispatcher.ts'
import { createNodeRegistry, type NodeRegistry } from '../nodes/node-registry.ts'
import type { FakeNode } from './fake-node.ts'

export interface TestApp extends AsyncDisposable {
  readonly app: ReturnType<typeof createGatewayApp>
  readonly controller: Controller
  readonly nodes: NodeRegistry
  readonly dispatcher: Dispatcher
  readonly log: FakeLog
  drain(): void
  /** `POST /v1/chat/completions`; `body` is sent as JSON unless it is a string. */
  chat(body: unknown, init?: RequestInit): Promise<Response>
}

export interface StartAppOptions {
  readonly nodes: readonly FakeNode[]
  readonly clock?: Clock
  readonly queueMax?: number
  readonly bodyBytesMax?: number
  readonly stateDir?: string | null
  /** In place of the store of `stateDir`. */
  readonly store?: DeploymentStore
}

/** The gateway's app over fake nodes, all of them connected. */
export async function startApp({
  nodes: fakes,
  clock = systemClock,
  queueMax = 100,
  bodyBytesMax,
  stateDir = null,
  store: otherStore,
}: StartAppOptions): Promise<TestApp> {
  const log = createFakeLog()
  const connect = (address: string) => {
    const found = fakes.find((fake) => fake.address === address)
    if (found === undefined) throw new Error(`no fake at ${address}`)
    return found.connect()
  }
  const nodes = createNodeRegistry({ clock, log, connect, random: () => 0.5 })
  const dispatcher = createDispatcher({ ports: { clock, log }, nodes, routing: { queueMax } })
  let draining = false
  const store = otherStore ?? createDeploymentStore(stateDir, log)
  const controller = startController({ nodes, clock, log, store, remembered: await store.read() })
  const app = createGatewayApp({
    clock,
    controller,
    log,
    metrics: createMetrics(),
    dispatcher,
    view: nodes.view,
    isDraining: () => draining,
    ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }),
  })
  const connected = new Promise<void>((resolve) => {
    if (fakes.length === 0) resolve()
    nodes.onChange(() => {
      if (nodes.view().nodes.length === fakes.length) resolve()
    })
  })
  nodes.setCandidates(fakes.map(({ address }) => ({ key: address, addresses: [address] })))
  await connected
  return {
    app,
    nodes,
    dispatcher,
    controller,
    log,
    drain() {
      draining = true
    },
    async chat(body, init = {}) {
      const headers = { 'content-type': 'application/json', ...init.headers }
      return app.request('/v1/chat/completions', {
        method: 'POST',
        ...init,
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
    },
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]()
      await dispatcher[Symbol.asyncDispose]()
      await nodes[Symbol.asyncDispose]()
    },
  }
}
