import { modelId } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planStart, type StartCandidate } from './plan-start.ts'

const candidate = (name: string, fileBytes: number): StartCandidate => ({
  modelId: modelId(name),
  source: { kind: 'local', path: null },
  fileBytes,
})
const best = candidate('best', 50)
const middle = candidate('middle', 20)
const small = candidate('small', 5)
const hub = [best, middle, small]
const facts = { local: [], slowLocal: [], hub, hubReachable: true, diskFreeBytes: null }

describe('what a machine that was told nothing serves', () => {
  test('the best file it has, whatever the hub has', () => {
    expect(planStart({ ...facts, local: [middle, small] })).toEqual({ kind: 'load', first: middle })
  })

  test('a slow file of its own only when the hub has nothing for it', () => {
    expect(planStart({ ...facts, slowLocal: [middle] })).toEqual({ kind: 'improve', first: small, better: best })
    expect(planStart({ ...facts, slowLocal: [middle], hub: [] })).toEqual({ kind: 'load', first: middle })
    expect(planStart({ ...facts, slowLocal: [middle], hubReachable: false })).toEqual({ kind: 'load', first: middle })
  })

  test('else the smallest of the hub first, and the best behind it', () => {
    expect(planStart(facts)).toEqual({ kind: 'improve', first: small, better: best })
  })

  test('only one when the smallest is the best', () => {
    expect(planStart({ ...facts, hub: [small] })).toEqual({ kind: 'load', first: small })
    expect(planStart({ ...facts, hub: [small, middle] })).toEqual({ kind: 'load', first: small })
  })

  test('the best the disk has room for beside the first', () => {
    expect(planStart({ ...facts, diskFreeBytes: 54 })).toEqual({ kind: 'improve', first: small, better: middle })
    expect(planStart({ ...facts, diskFreeBytes: 55 })).toEqual({ kind: 'improve', first: small, better: best })
    expect(planStart({ ...facts, diskFreeBytes: 6 })).toEqual({ kind: 'load', first: small })
  })

  test.each([
    [{ ...facts, hubReachable: false }, 'cannot be reached'],
    [{ ...facts, hubReachable: null }, '--offline'],
    [{ ...facts, hub: [] }, 'fits this machine'],
    [{ ...facts, diskFreeBytes: 4 }, 'no space'],
  ])('the demo with its reason when nothing can be had', (given, words) => {
    expect(planStart(given)).toEqual({ kind: 'demo', reason: expect.stringContaining(words) })
  })

  test('never plans more than the disk holds, nor a second model that is worse than the first', () => {
    const models = fc
      .array(fc.integer({ min: 1, max: 100 }), { maxLength: 8 })
      .map((sizes) => sizes.map((bytes, index) => candidate(`m${index}`, bytes)))
    fc.assert(
      fc.property(models, fc.integer({ min: 0, max: 200 }), (ranked, diskFreeBytes) => {
        const plan = planStart({ local: [], slowLocal: [], hub: ranked, hubReachable: true, diskFreeBytes })
        if (plan.kind === 'demo') return ranked.every((each) => each.fileBytes > diskFreeBytes)
        if (plan.kind === 'load') return plan.first.fileBytes <= diskFreeBytes
        return plan.first.fileBytes + plan.better.fileBytes <= diskFreeBytes && ranked.indexOf(plan.better) < ranked.indexOf(plan.first)
      }),
    )
  })
})
