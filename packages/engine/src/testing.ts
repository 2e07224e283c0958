export { createMockEngine, type MockEngineOptions, type MockFailure } from './testing/mock-engine.ts'
export { type MockToken, mockAnswer, mockPromptTokenIds } from './testing/mock-tokens.ts'
