import { describe, expect, it } from 'vitest'
import { applyCorrection, compareWithMeasured, correctionKey, learnMemory, learnSpeed } from './correction.ts'
import type { MemoryTerm } from './memory-terms.ts'

const terms: readonly MemoryTerm[] = [
  { name: 'reserve', memory: 'ram', bytes: 500, source: 'estimate' },
  { name: 'checkpoints', memory: 'ram', bytes: 700, source: 'estimate' },
  { name: 'runtime', memory: 'ram', bytes: 100, source: 'estimate' },
  { name: 'weights', memory: 'ram', bytes: 1000, source: 'exact' },
  { name: 'kvCache', memory: 'ram', bytes: 300, source: 'exact' },
  { name: 'compute', memory: 'ram', bytes: 100, source: 'estimate' },
]
const measured = (residentBytes: number | null, vramBytes: number | null = 0) => ({ residentBytes, vramBytes })
const separate = { unifiedMemory: false }

describe('comparing plan and measurement', () => {
  it('counts all terms but the headroom, and warns beyond 10 %', () => {
    expect(compareWithMeasured(terms, measured(1500), separate)).toMatchObject({
      plannedBytes: 1500,
      ratio: 1,
      warn: false,
      estimateRatio: 1,
    })
    expect(compareWithMeasured(terms, measured(1640), separate)?.warn).toBe(false)
    expect(compareWithMeasured(terms, measured(1660), separate)?.warn).toBe(true)
    expect(compareWithMeasured(terms, measured(1340), separate)?.warn).toBe(true)
  })

  it('puts the whole difference down to the estimates', () => {
    expect(compareWithMeasured(terms, measured(1600), separate)?.estimateRatio).toBe(1.5)
  })

  it('takes weights that were repacked and still lie in the page cache as one', () => {
    const comparison = compareWithMeasured(terms, measured(2510), separate)
    expect(comparison).toMatchObject({ measuredBytes: 1510, warn: false })
  })

  it('adds VRAM, except where it is the RAM again', () => {
    expect(compareWithMeasured(terms, measured(1000, 500), separate)?.measuredBytes).toBe(1500)
    expect(compareWithMeasured(terms, measured(1500, 1300), { unifiedMemory: true })?.measuredBytes).toBe(1500)
  })

  it('is null when something is not known', () => {
    expect(compareWithMeasured(terms, measured(null), separate)).toBeNull()
    expect(
      compareWithMeasured([...terms, { name: 'kvCache', memory: 'ram', bytes: null, source: 'exact' }], measured(1), separate),
    ).toBeNull()
    expect(compareWithMeasured([], measured(1), separate)).toBeNull()
  })
})

describe('what is learned', () => {
  it('makes the same plan come out as measured the next time, and leaves exact sizes and the headroom alone', () => {
    const first = compareWithMeasured(terms, measured(1600), separate)
    if (first === null) throw new Error('not measured')
    const correction = learnMemory(null, first)
    const corrected = applyCorrection(terms, correction)
    expect(corrected.map((term) => term.bytes)).toEqual([500, 700, 150, 1000, 300, 150])
    expect(corrected.map((term) => term.source)).toEqual(['estimate', 'estimate', 'measured', 'exact', 'exact', 'measured'])
    const second = compareWithMeasured(corrected, measured(1600), separate)
    expect(second).toMatchObject({ ratio: 1, estimateRatio: 1 })
    expect(second && learnMemory(correction, second).estimateRatio).toBe(1.5)
  })

  it('stays within bounds after an odd measurement', () => {
    const odd = { plannedBytes: 1, measuredBytes: 1, ratio: 1, warn: true }
    expect(learnMemory(null, { ...odd, estimateRatio: 50 }).estimateRatio).toBe(3)
    expect(learnMemory(null, { ...odd, estimateRatio: -2 }).estimateRatio).toBe(0.5)
  })

  it('keeps memory and speed apart, by architecture and backend', () => {
    const speed = learnSpeed({ estimateRatio: 1.2, effectiveBandwidthBytesPerSecond: null }, 4e10)
    expect(speed).toEqual({ estimateRatio: 1.2, effectiveBandwidthBytesPerSecond: 4e10 })
    expect(applyCorrection(terms, learnSpeed(null, 4e10))).toBe(terms)
    expect(applyCorrection(terms, null)).toBe(terms)
    expect(correctionKey('qwen35', 'cuda')).toBe('qwen35/cuda')
  })
})
