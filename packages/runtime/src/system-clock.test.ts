import { expect, test } from 'vitest'
import { systemClock } from './system-clock.ts'

test('a timer runs once, not before its delay', async () => {
  const startMs = systemClock.nowMs()
  let runs = 0
  await new Promise<void>((resolve) => {
    systemClock.after(20, () => {
      runs += 1
      resolve()
    })
  })
  // Node rounds a timer to whole milliseconds.
  expect(systemClock.nowMs() - startMs).toBeGreaterThanOrEqual(19)
  expect(runs).toBe(1)
})

test('a cancelled timer never runs, and later ones do', async () => {
  const order: string[] = []
  const cancel = systemClock.after(1, () => order.push('cancelled'))
  cancel()
  await new Promise<void>((resolve) => {
    systemClock.after(5, () => {
      order.push('kept')
      resolve()
    })
  })
  expect(order).toEqual(['kept'])
})

test('wall time is milliseconds since 1970', () => {
  expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(1000)
})
