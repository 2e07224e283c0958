export * from './testing/fake-log.ts'
export * from './testing/manual-clock.ts'
