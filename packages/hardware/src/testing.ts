export * from './testing/fake-node-profile.ts'
