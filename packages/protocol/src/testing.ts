export { createFakeNodeApi, type FakeNodeApi, fakeModelState, fakeTokenText } from './testing/fake-node-api.ts'
export { type ConnectNodeApi, describeNodeApiContract } from './testing/node-api-contract.ts'
