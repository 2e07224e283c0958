import { expect, it } from 'vitest'
import { createManualClock } from './manual-clock.ts'

it('runs timers in order of their due time, those that timers start included', () => {
  const clock = createManualClock()
  const seen: string[] = []
  clock.after(20, () => seen.push(`b ${clock.nowMs()}`))
  clock.after(10, () => {
    seen.push(`a ${clock.nowMs()}`)
    clock.after(5, () => seen.push(`c ${clock.nowMs()}`))
  })
  const cancel = clock.after(1, () => seen.push('never'))
  cancel()
  clock.advance(9)
  expect(seen).toEqual([])
  clock.advance(11)
  expect(seen).toEqual(['a 10', 'c 15', 'b 20'])
  expect(clock.nowMs()).toBe(20)
})
