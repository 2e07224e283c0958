export type { ConnectNodeApi } from './testing/contract/fixtures.ts'
export { createFakeNodeApi, type FakeNodeApi, fakeModelState, fakeTokenText } from './testing/fake-node-api.ts'
export { describeNodeApiContract } from './testing/node-api-contract.ts'
