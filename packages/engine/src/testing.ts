export {
  type Collected,
  type ContractTools,
  collectEvents,
  createTestRequest,
  describeEngineContract,
  type EngineUnderTest,
} from './testing/engine-contract.ts'
export { createMockEngine, type MockEngineOptions, type MockFailure } from './testing/mock-engine.ts'
export { type MockToken, mockAnswer, mockPromptTokenIds } from './testing/mock-tokens.ts'
