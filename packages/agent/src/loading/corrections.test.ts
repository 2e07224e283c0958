import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { LoadedModel } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { correctionKey } from '@shoal/planner'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fakeLoadPlan } from '../testing/fake-load-plan.ts'
import { fakeManifest } from '../testing/fake-manifest.ts'
import { openCorrections } from './corrections.ts'

let state: string
beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'shoal-corrections-'))
})
afterEach(() => rm(state, { recursive: true, force: true }))

const key = correctionKey('llama', 'cpu')
const big = fakeManifest({
  fileBytes: 1e9,
  tensorGroupBytes: { embedding: 0, output: 1e8, attention: 4e8, feedForward: 5e8, experts: 0, other: 0 },
})
const plan = fakeLoadPlan({ contextTokens: 4096, slots: 2 }, big)
const plannedBytes = plan.sizing.plannedBytes.total ?? 0

/** A loaded model that took `residentBytes`; `run` says how fast its last requests were. */
function loaded(residentBytes: number): { readonly model: LoadedModel; run(tokensPerSecond: number): void } {
  const listeners: (() => void)[] = []
  let speed: number | null = null
  const model = {
    facts: { residentBytes, vramBytes: 0 },
    get tokensPerSecond() {
      return speed
    },
    onChange: (listener: () => void) => listeners.push(listener),
  } as unknown as LoadedModel
  return {
    model,
    run(tokensPerSecond) {
      speed = tokensPerSecond
      for (const listener of listeners) listener()
    },
  }
}

test('what a load took corrects the next plan of its kind, across restarts', async () => {
  const corrections = await openCorrections(state, createFakeLog())
  expect(corrections.all).toEqual({})
  corrections.observe('m', plan, loaded(plannedBytes * 1.3).model)
  await corrections.saved()
  const again = await openCorrections(state, createFakeLog())
  expect(again.all[key]?.estimateRatio).toBeGreaterThan(1.1)
})

test('more than a tenth beside the plan is a warning with both figures, less is not', async () => {
  const log = createFakeLog()
  const corrections = await openCorrections(state, log)
  corrections.observe('m', plan, loaded(plannedBytes * 1.05).model)
  expect(log.entries.filter((entry) => entry.level === 'warn')).toEqual([])
  corrections.observe('m', plan, loaded(plannedBytes * 1.3).model)
  expect(log.entries.at(-1)).toMatchObject({ level: 'warn', fields: { plannedBytes, ratio: 1.3 } })
  await corrections.saved()
})

test('the best speed of a load teaches its bandwidth; slower ones later do not take it back', async () => {
  const corrections = await openCorrections(state, createFakeLog())
  const { model, run } = loaded(plannedBytes)
  corrections.observe('m', plan, model)
  run(10)
  const first = corrections.all[key]?.effectiveBandwidthBytesPerSecond ?? 0
  expect(first).toBeGreaterThan(9e9)
  run(4)
  expect(corrections.all[key]?.effectiveBandwidthBytesPerSecond).toBe(first)
  run(12)
  expect(corrections.all[key]?.effectiveBandwidthBytesPerSecond).toBeGreaterThan(first)
  await corrections.saved()
})

test('a tiny model teaches nothing about real ones', async () => {
  const corrections = await openCorrections(state, createFakeLog())
  const { model, run } = loaded(1e9)
  corrections.observe('demo', fakeLoadPlan({ contextTokens: 256, slots: 1 }), model)
  run(500)
  expect(corrections.all).toEqual({})
})

test('a damaged file is set aside', async () => {
  await writeFile(path.join(state, 'corrections.json'), '{"llama/cpu":{"estimateRatio":"much"}}')
  const log = createFakeLog()
  expect((await openCorrections(state, log)).all).toEqual({})
  expect(log.entries[0]?.level).toBe('warn')
})
