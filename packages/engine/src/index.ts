export { createLlamaEngine, type LlamaEngineOptions } from './llama-engine.ts'
export type { GpuChoice, MemoryEstimate } from './messages.ts'
export { estimateMemory, type MemoryQuery, probeGpus } from './probes.ts'
