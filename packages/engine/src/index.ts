export { createLlamaEngine, type LlamaEngineOptions } from './llama-engine.ts'
export type { GpuChoice } from './messages.ts'
