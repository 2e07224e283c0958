export { type FakeHub, type FakeHubFile, type FakeHubOptions, type FakeHubRequest, fakeCommit, startFakeHub } from './testing/fake-hub.ts'
export { fakeManifest } from './testing/fake-manifest.ts'
