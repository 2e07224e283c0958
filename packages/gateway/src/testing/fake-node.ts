import {
  type GenerateEvent,
  type InferenceRequest,
  modelId,
  type NodeDescription,
  type NodeModelState,
  type NodeState,
  nodeId,
  ShoalError,
} from '@shoal/core'
import type { NodeClient } from '../ports.ts'

type Generate = (request: InferenceRequest, emit: (event: GenerateEvent) => void, signal: AbortSignal) => Promise<void>

export interface FakeNode {
  readonly address: string
  readonly description: NodeDescription
  /** Changes what `describe` answers from now on. */
  describe(change: Partial<NodeDescription>): void
  /** What `generate` does; may be replaced between requests. */
  generate: Generate
  /** What `loadModel` does before the model is ready. */
  load: (id: string) => Promise<void>
  /** Requests seen by `generate`, in order. */
  readonly requests: InferenceRequest[]
  /** Requests running now. */
  readonly running: number
  readonly state: NodeState
  /** Changes the state and reports it to every watcher. */
  report(change: Partial<Pick<NodeState, 'models' | 'draining' | 'incarnation'>>): void
  /** Repeats the last report, as a heartbeat does. */
  beat(): void
  /** Breaks every stream; nothing answers until `restart`. */
  kill(): void
  /** Answers again, as a new incarnation with version 1. */
  restart(): void
  connect(): NodeClient
}

export interface FakeNodeOptions {
  readonly id: string
  readonly address?: string
  readonly models?: readonly NodeModelState[]
  readonly localModels?: NodeDescription['localModels']
}

/** A node without a network: what it says and how it fails is up to the test. */
export function createFakeNode({ id, address = `${id}:7412`, models = [], localModels = [] }: FakeNodeOptions): FakeNode {
  let description: NodeDescription = {
    nodeId: nodeId(id),
    protocolVersion: 1,
    shoalVersion: '0.1.0',
    profile: profileOf(id),
    localModels,
  }
  let state: NodeState = { nodeId: nodeId(id), incarnation: `${id}-1`, version: 1, draining: false, models }
  let starts = 1
  let isDown = false
  let running = 0
  const requests: InferenceRequest[] = []
  const watchers = new Set<{ readonly tell: (state: NodeState) => void; readonly fail: (error: ShoalError) => void }>()
  const calls = new Set<AbortController>()
  const lost = () => new ShoalError({ code: 'NODE_LOST', message: `${id} does not answer` })
  const check = () => {
    if (isDown) throw lost()
  }
  const node: FakeNode = {
    address,
    get description() {
      return description
    },
    describe(change) {
      description = { ...description, ...change }
    },
    requests,
    generate: streamWords(['Hello', ' world']),
    load: () => Promise.resolve(),
    get running() {
      return running
    },
    get state() {
      return state
    },
    report(change) {
      state = { ...state, ...change, version: change.incarnation === undefined ? state.version + 1 : 1 }
      this.beat()
    },
    beat() {
      for (const watcher of watchers) watcher.tell(state)
    },
    kill() {
      isDown = true
      for (const watcher of [...watchers]) watcher.fail(lost())
      for (const call of calls) call.abort()
    },
    restart() {
      isDown = false
      starts++
      state = { ...state, incarnation: `${id}-${starts}`, version: 1 }
    },
    connect: () => ({
      async describe() {
        check()
        return description
      },
      watch: (_options, onState, signal) =>
        new Promise((_resolve, reject) => {
          if (isDown) return reject(lost())
          const watcher = {
            tell: onState,
            fail: (error: ShoalError) => {
              watchers.delete(watcher)
              reject(error)
            },
          }
          watchers.add(watcher)
          signal.addEventListener('abort', () => watcher.fail(new ShoalError({ code: 'CANCELLED', message: 'cancelled' })), { once: true })
          onState(state)
        }),
      async loadModel(command, onProgress) {
        check()
        const there = state.models.find(({ modelId, status }) => modelId === command.modelId && status === 'ready')
        if (there !== undefined) {
          const differs = (wanted: number | null, has: number) => wanted !== null && wanted !== has
          // As an agent does: one model has one shape, and who wants another unloads it first.
          if (!differs(command.contextTokens, there.contextTokens) && !differs(command.slots, there.slotsTotal)) return there
          throw new ShoalError({ code: 'INVALID_REQUEST', message: `${command.modelId} is loaded here with another shape.` })
        }
        const loading = modelState(command.modelId, { status: 'loading', progress: 0.5 })
        onProgress(loading)
        await node.load(command.modelId)
        const ready = modelState(command.modelId, { contextTokens: command.contextTokens ?? 4096, slotsTotal: command.slots ?? 4 })
        node.report({ models: [...state.models.filter((model) => model.modelId !== command.modelId), ready] })
        return ready
      },
      async unloadModel(id) {
        check()
        node.report({ models: state.models.filter((model) => model.modelId !== id) })
      },
      drain: () => Promise.resolve({ unfinished: running }),
      async generate(request, onEvent, signal) {
        check()
        requests.push(request)
        running++
        const call = new AbortController()
        calls.add(call)
        signal.addEventListener('abort', () => call.abort(), { once: true })
        try {
          await Promise.race([node.generate(request, onEvent, call.signal), whenAborted(call.signal)])
        } catch (thrown) {
          throw isDown ? lost() : thrown
        } finally {
          running--
          calls.delete(call)
        }
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  }
  return node
}

/** Accepts with 7 prompt tokens of which 3 were cached, sends one token per word, then finishes. */
export function streamWords(words: readonly string[], finish: 'stop' | 'length' = 'stop'): Generate {
  return (request, emit) => {
    emit({ kind: 'accepted', promptTokens: 7, cachedTokens: 3, promptTokenIds: [1, 2, 3, 4, 5, 6, 7] })
    for (const [seq, text] of words.entries()) emit({ kind: 'tokens', epoch: request.epoch, seq, tokenIds: [seq + 100], text })
    emit({ kind: 'finished', reason: finish, completionTokens: words.length })
    return Promise.resolve()
  }
}

/** State of a model that is ready, with what the test says differently. */
export function modelState(id: string, change: Partial<NodeModelState> = {}): NodeModelState {
  return {
    modelId: modelId(id),
    status: 'ready',
    progress: null,
    error: null,
    isDemo: false,
    sha256: null,
    slotsTotal: 4,
    slotsUsed: 0,
    contextTokens: 4096,
    tokensPerSecond: 10,
    plannedBytes: null,
    facts: null,
    ...change,
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => reject(new ShoalError({ code: 'CANCELLED', message: 'cancelled' }))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

function profileOf(id: string): NodeDescription['profile'] {
  return {
    hostname: id,
    platform: 'linux',
    osRelease: '6.1',
    cpu: { model: null, architecture: 'x64', physicalCores: 2, logicalCores: 2, usableCores: 2, instructionSets: null },
    memory: { totalBytes: 8e9, limitBytes: 8e9, availableBytes: 6e9, bandwidthBytesPerSecond: null },
    gpus: [],
    disk: null,
    battery: null,
    interfaces: [],
  }
}
