import {
  type ChatMessage,
  type CpuProfile,
  type GenerateEvent,
  type GpuProfile,
  type InferenceRequest,
  type LoadedFacts,
  type LoadModelCommand,
  type LocalModel,
  type ModelManifest,
  type ModelSource,
  modelId,
  type NetworkInterfaceProfile,
  type NodeDescription,
  type NodeModelState,
  type NodeProfile,
  type NodeState,
  nodeId,
  requestId,
  type Sampling,
  type TensorGroupBytes,
} from '@shoal/core'
import fc from 'fast-check'

/** Whole range of everything that crosses the wire. Text is any sequence of code points, since half a surrogate pair is not text. */
const text = fc.string({ unit: 'binary' })
const name = fc.string({ unit: 'binary', minLength: 1 })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const bytes = fc.maxSafeNat()
const real = fc.double({ noNaN: true, noDefaultInfinity: true })
/** Objects as the program makes them, so that a comparison may be strict. */
const plain = { noNullPrototype: true } as const
const record = <T>(fields: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> => fc.record<T>(fields, plain)
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null })

const cpu = record<CpuProfile>({
  model: orNull(text),
  architecture: text,
  physicalCores: orNull(uint32),
  logicalCores: uint32,
  usableCores: real,
  instructionSets: orNull(fc.array(text)),
})
const gpu = record<GpuProfile>({
  name: text,
  backend: fc.constantFrom('cuda', 'vulkan', 'metal'),
  vramTotalBytes: orNull(bytes),
  vramFreeBytes: orNull(bytes),
  unifiedMemory: fc.boolean(),
})
const networkInterface = record<NetworkInterfaceProfile>({
  name: text,
  address: text,
  family: fc.constantFrom('IPv4', 'IPv6'),
  kind: fc.constantFrom('wired', 'wireless', 'virtual', 'loopback', 'unknown'),
  speedMbitPerSecond: orNull(real),
})
const profile = record<NodeProfile>({
  hostname: text,
  platform: text,
  osRelease: text,
  cpu,
  memory: record({ totalBytes: bytes, limitBytes: bytes, availableBytes: bytes, bandwidthBytesPerSecond: orNull(real) }),
  gpus: fc.array(gpu, { maxLength: 3 }),
  disk: orNull(record({ path: text, totalBytes: bytes, freeBytes: bytes })),
  battery: orNull(record({ charge: orNull(real), onMains: orNull(fc.boolean()) })),
  interfaces: fc.array(networkInterface, { maxLength: 3 }),
})
const tensorGroupBytes = record<TensorGroupBytes>({
  embedding: bytes,
  output: bytes,
  attention: bytes,
  feedForward: bytes,
  experts: bytes,
  other: bytes,
})
const manifest = record<ModelManifest>({
  architecture: text,
  name: orNull(text),
  quantization: orNull(text),
  parameterCount: bytes,
  fileBytes: bytes,
  tensorGroupBytes,
  contextTokensTrained: orNull(uint32),
  layerCount: uint32,
  attentionLayerCount: uint32,
  embeddingLength: uint32,
  headCount: uint32,
  headCountKv: uint32,
  keyLength: uint32,
  valueLength: uint32,
  slidingWindowTokens: orNull(uint32),
  vocabularySize: uint32,
  expert: orNull(record({ count: uint32, usedCount: uint32, feedForwardLength: orNull(uint32) })),
  recurrentStateBytesPerSequence: bytes,
  chatTemplate: orNull(text),
  isDemo: fc.boolean(),
})
const localModel = record<LocalModel>({ modelId: name, path: text, sha256: orNull(text), manifest })

export const arbitraryDescription = record<NodeDescription>({
  nodeId: name.map(nodeId),
  protocolVersion: uint32,
  shoalVersion: text,
  profile,
  localModels: fc.array(localModel, { maxLength: 3 }),
})

const facts = record<LoadedFacts>({
  contextTokens: uint32,
  slots: uint32,
  threads: uint32,
  gpuLayers: uint32,
  residentBytes: orNull(bytes),
  vramBytes: orNull(bytes),
  loadMs: real,
})

export const arbitraryModelState = record<NodeModelState>({
  modelId: name.map(modelId),
  status: fc.constantFrom('downloading', 'loading', 'ready', 'restarting', 'failed'),
  progress: orNull(real),
  error: orNull(text),
  isDemo: fc.boolean(),
  sha256: orNull(text),
  slotsTotal: uint32,
  slotsUsed: uint32,
  contextTokens: uint32,
  tokensPerSecond: orNull(real),
  plannedBytes: orNull(bytes),
  facts: orNull(facts),
})

export const arbitraryState = record<NodeState>({
  nodeId: name.map(nodeId),
  incarnation: text,
  version: bytes,
  draining: fc.boolean(),
  models: fc.array(arbitraryModelState, { maxLength: 3 }),
})

const source: fc.Arbitrary<ModelSource> = fc.oneof(
  record({ kind: fc.constant('local' as const), path: orNull(text) }),
  record({
    kind: fc.constant('hub' as const),
    repo: name,
    file: name,
    revision: orNull(text),
    bytes: orNull(bytes),
    sha256: orNull(text),
  }),
  record({ kind: fc.constant('demo' as const) }),
)

export const arbitraryCommand = record<LoadModelCommand>({
  modelId: name.map(modelId),
  source,
  contextTokens: orNull(uint32),
  slots: orNull(uint32),
})

const message = record<ChatMessage>({ role: fc.constantFrom('system', 'user', 'assistant', 'tool'), content: text })
const sampling = record<Sampling>({
  temperature: orNull(real),
  topP: orNull(real),
  topK: orNull(uint32),
  minP: orNull(real),
  frequencyPenalty: orNull(real),
  presencePenalty: orNull(real),
  repeatPenalty: orNull(real),
  seed: orNull(fc.maxSafeInteger()),
  logitBias: orNull(fc.dictionary(uint32.map(String), real, plain)),
})

export const arbitraryRequest = record<InferenceRequest>({
  requestId: name.map(requestId),
  modelId: name.map(modelId),
  epoch: uint32,
  messages: fc.array(message, { maxLength: 5 }),
  sampling,
  tokensMax: orNull(uint32),
  thinking: fc.boolean(),
})

export const arbitraryEvent: fc.Arbitrary<GenerateEvent> = fc.oneof(
  record({ kind: fc.constant('accepted' as const), promptTokens: uint32, cachedTokens: uint32, promptTokenIds: fc.array(uint32) }),
  record({ kind: fc.constant('tokens' as const), epoch: uint32, seq: uint32, tokenIds: fc.array(uint32), text }),
  record({ kind: fc.constant('heartbeat' as const), completedDecodes: bytes, runningDecodeAgeMs: orNull(real) }),
  record({ kind: fc.constant('finished' as const), reason: fc.constantFrom('stop' as const, 'length' as const), completionTokens: uint32 }),
)
