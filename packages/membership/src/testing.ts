export * from './testing/fake-lan.ts'
