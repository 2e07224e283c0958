import {
  type GenerateEvent,
  type InferenceRequest,
  modelId,
  type NodeApi,
  type NodeDescription,
  type NodeModelState,
  type NodeState,
  nodeId,
  ShoalError,
} from '@shoal/core'
import { protocolVersion } from '../wire.ts'

export interface FakeNodeApi extends NodeApi {
  readonly description: NodeDescription
  readonly state: NodeState
  /** Changes the state; its version grows and every watcher gets it. */
  update(change: Partial<Omit<NodeState, 'version'>>): void
  /** Ends every watch, as a node does that leaves. */
  leave(): void
  /** Calls of generate that have not ended. */
  readonly running: number
}

/**
 * A node without hardware or engine, for tests: models load in two steps, and token k of a request is a function of its epoch, its last
 * message and k. One turn of the event loop lies between tokens; there are no timers, so a heartbeat interval has no effect.
 */
export function createFakeNodeApi(overrides: Partial<NodeApi> = {}, id = 'f'.repeat(32)): FakeNodeApi {
  const description = fakeDescription(id)
  let state: NodeState = { nodeId: description.nodeId, incarnation: 'fake', version: 1, draining: false, models: [] }
  let running = 0
  const watchers = new Set<{ onState: (state: NodeState) => void; end: () => void }>()

  const update = (change: Partial<Omit<NodeState, 'version'>>) => {
    state = { ...state, ...change, version: state.version + 1 }
    for (const watcher of watchers) watcher.onState(state)
  }
  const withModel = (model: NodeModelState) => [...state.models.filter((one) => one.modelId !== model.modelId), model]

  const api: NodeApi = {
    describe: async () => description,
    watch: (_options, onState, signal) =>
      new Promise((resolve) => {
        const watcher = { onState, end: () => resolve() }
        watchers.add(watcher)
        signal.addEventListener('abort', () => {
          watchers.delete(watcher)
          resolve()
        })
        onState(state)
      }),
    async loadModel(command, onProgress) {
      onProgress(fakeModelState(command.modelId, { status: 'loading', progress: 0.5 }))
      await nextTurn()
      const ready = fakeModelState(command.modelId, { contextTokens: command.contextTokens ?? 4096, slotsTotal: command.slots ?? 4 })
      update({ models: withModel(ready) })
      return ready
    },
    async unloadModel(id) {
      if (!state.models.some((one) => one.modelId === id)) throw unknownModel(id)
      update({ models: state.models.filter((one) => one.modelId !== id) })
    },
    async drain() {
      update({ draining: true })
      return { unfinished: running }
    },
    async generate(request, onEvent, signal) {
      running += 1
      try {
        await fakeGeneration(request, onEvent, signal)
      } finally {
        running -= 1
      }
    },
  }
  return {
    ...api,
    ...overrides,
    description,
    update,
    leave: () => {
      for (const watcher of watchers) watcher.end()
      watchers.clear()
    },
    get state() {
      return state
    },
    get running() {
      return running
    },
  }
}

/** Text of token `index` of a request to the fake. */
export const fakeTokenText = (request: InferenceRequest, index: number): string => ` ${request.messages.at(-1)?.content ?? ''}${index}`

async function fakeGeneration(request: InferenceRequest, onEvent: (event: GenerateEvent) => void, signal: AbortSignal): Promise<void> {
  const tokensMax = request.tokensMax ?? 8
  onEvent({ kind: 'accepted', promptTokens: 3, cachedTokens: 1, promptTokenIds: [1, 2, 3] })
  for (let index = 0; index < tokensMax; index += 1) {
    await nextTurn()
    if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'the request was cancelled' })
    onEvent({ kind: 'tokens', epoch: request.epoch, seq: index, tokenIds: [index + 100], text: fakeTokenText(request, index) })
    if (index % 4 === 0) onEvent({ kind: 'heartbeat', completedDecodes: index, runningDecodeAgeMs: null })
  }
  onEvent({ kind: 'finished', reason: 'length', completionTokens: tokensMax })
}

export const fakeModelState = (id: string, change: Partial<NodeModelState> = {}): NodeModelState => ({
  modelId: modelId(id),
  status: 'ready',
  progress: null,
  error: null,
  isDemo: false,
  sha256: null,
  slotsTotal: 4,
  slotsUsed: 0,
  contextTokens: 4096,
  tokensPerSecond: null,
  plannedBytes: null,
  facts: null,
  ...change,
})

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

const unknownModel = (id: string) => new ShoalError({ code: 'MODEL_UNKNOWN', message: `this node has not loaded ${id}` })

function fakeDescription(id: string): NodeDescription {
  return {
    nodeId: nodeId(id),
    protocolVersion,
    shoalVersion: '0.0.0',
    profile: {
      hostname: 'fake',
      platform: 'linux',
      osRelease: '6.1',
      cpu: { model: null, architecture: 'x64', physicalCores: 2, logicalCores: 4, usableCores: 3.5, instructionSets: ['avx2'] },
      memory: { totalBytes: 16e9, limitBytes: 16e9, availableBytes: 8e9, bandwidthBytesPerSecond: null },
      gpus: [],
      disk: null,
      battery: null,
      interfaces: [],
    },
    localModels: [],
  }
}
