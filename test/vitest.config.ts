import { defineConfig } from 'vitest/config'

/** One configuration for every package: each runs it with its own folder as root. */
export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    reporters: process.env.CI === undefined ? ['default', 'json'] : ['dot', 'json'],
    outputFile: { json: '.vitest/report.json' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: true,
    maxWorkers: 2,
  },
})
