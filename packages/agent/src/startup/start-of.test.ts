import { modelId } from '@shoal/core'
import { createFakeNodeProfile } from '@shoal/hardware/testing'
import { catalogCandidates, chooseModel, localCandidate, mergeCandidates } from '@shoal/planner'
import { describe, expect, test } from 'vitest'
import type { LocalPlan } from '../planning.ts'
import { fakeManifest } from '../testing/fake-manifest.ts'
import { startOf } from './start-of.ts'

const gibibyte = 2 ** 30
/** A machine of 16 GiB; at 60 GB/s it can have several models of the catalog, at 1 GB/s everything large is slow. */
function planOf(
  files: readonly { readonly name: string; readonly fileBytes: number }[],
  facts: { readonly withHub: boolean; gigabytes?: number },
): LocalPlan {
  const memory = {
    totalBytes: 16 * gibibyte,
    limitBytes: 16 * gibibyte,
    availableBytes: 14 * gibibyte,
    bandwidthBytesPerSecond: (facts.gigabytes ?? 60) * 1e9,
  }
  const profile = createFakeNodeProfile({ memory, gpus: [], disk: { path: '/', totalBytes: 1e12, freeBytes: 1e12 } })
  const here = files.map(({ name, fileBytes }) => {
    const groups = {
      embedding: 0.1 * fileBytes,
      output: 0.1 * fileBytes,
      attention: 0.3 * fileBytes,
      feedForward: 0.5 * fileBytes,
      experts: 0,
      other: 0,
    }
    const manifest = fakeManifest({ fileBytes, tensorGroupBytes: groups, isDemo: false })
    return localCandidate({ modelId: modelId(name), path: `/models/${name}.gguf`, sha256: null, manifest })
  })
  const candidates = mergeCandidates(here, facts.withHub ? catalogCandidates() : [])
  return { profile, choice: chooseModel({ profile, candidates }), invalidFiles: [] }
}
const small = { name: 'mine', fileBytes: 1e9 }
const large = { name: 'mine', fileBytes: 8e9 }

describe('what a machine would start with', () => {
  test('is a good file that is here, though the hub has a better ranked model', () => {
    const plan = planOf([small], { withHub: true })
    expect(plan.choice.chosen?.candidate.source.kind).toBe('hub')
    expect(startOf(plan)).toEqual({ modelId: 'mine', reason: 'its file is here' })
  })

  test('is else what the hub sends soonest, and tells what follows and what serves without it', () => {
    const plan = planOf([large], { withHub: true, gigabytes: 40 })
    const start = startOf(plan)
    expect(plan.choice.plans.find((each) => each.candidate.modelId === start?.modelId)?.candidate.source.kind).toBe('hub')
    expect(start?.reason).toContain(`${plan.choice.chosen?.candidate.modelId} is fetched behind it`)
    expect(start?.reason).toContain('without the hub mine')
  })

  test('is a slow file where there is nothing else, and null where there is nothing at all', () => {
    expect(startOf(planOf([large], { withHub: false, gigabytes: 40 }))).toEqual({
      modelId: 'mine',
      reason: expect.stringContaining('slower than wanted'),
    })
    expect(startOf(planOf([], { withHub: false }))).toBeNull()
  })
})
