import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createFakeLog } from '@shoal/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openCorrections } from './corrections.ts'

let state: string
beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'shoal-corrections-'))
})
afterEach(() => rm(state, { recursive: true, force: true }))

const key = { architecture: 'qwen35', backend: 'cpu' } as const
const load = (measuredBytes: number, plannedBytes = 1000) => ({ modelId: 'm', plannedBytes, measuredBytes })

test('nothing known corrects nothing', async () => {
  expect((await openCorrections(state, createFakeLog())).factor(key)).toBe(1)
})

test('repeated loads pull the factor to what they really take, of their kind only, across restarts', async () => {
  const corrections = await openCorrections(state, createFakeLog())
  // Each plan already has the factor in it, as the planner's has.
  for (let round = 0; round < 12; round++) await corrections.note(key, load(1200, 1000 * corrections.factor(key)))
  const again = await openCorrections(state, createFakeLog())
  expect(again.factor(key)).toBeCloseTo(1.2, 2)
  expect(again.factor({ ...key, backend: 'cuda' })).toBe(1)
})

test('more than a tenth beside the plan is a warning, less is not', async () => {
  const log = createFakeLog()
  const corrections = await openCorrections(state, log)
  await corrections.note(key, load(1090))
  expect(log.entries).toEqual([])
  await corrections.note(key, load(1300))
  expect(log.entries).toMatchObject([{ level: 'warn', fields: { plannedBytes: 1000, measuredBytes: 1300, deviation: 0.3 } }])
})

test('absurd measurements stay within bounds', async () => {
  const corrections = await openCorrections(state, createFakeLog())
  for (let round = 0; round < 20; round++) await corrections.note(key, load(1e9))
  expect(corrections.factor(key)).toBe(1.5)
})

test('a damaged file is set aside', async () => {
  await writeFile(path.join(state, 'memory-corrections.json'), '{"qwen35/cpu":"much"}')
  const log = createFakeLog()
  expect((await openCorrections(state, log)).factor(key)).toBe(1)
  expect(log.entries[0]?.level).toBe('warn')
})
