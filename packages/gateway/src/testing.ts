export { createFakeNode, type FakeNode, type FakeNodeOptions, modelState, streamWords } from './testing/fake-node.ts'
