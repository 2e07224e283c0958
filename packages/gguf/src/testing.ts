export { type MemorySource, memorySource } from './testing/memory-source.ts'
export { type SmallModelOptions, smallModel, smallModelSpec } from './testing/small-model.ts'
