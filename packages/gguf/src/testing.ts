export { type SmallModelOptions, smallModel, smallModelSpec } from './testing/small-model.ts'
