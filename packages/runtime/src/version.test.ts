import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { shoalVersion } from './version.ts'

test('the version is the one of the root package.json', () => {
  const root: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  expect(root).toMatchObject({ name: 'shoal', version: shoalVersion })
})
