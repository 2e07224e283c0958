import { expect, test } from 'vitest'
import { createSilenceMeter, heartbeatMs, tickMs } from './silence-meter.ts'

function silentFor(meter: ReturnType<typeof createSilenceMeter>, ms: number) {
  let hearing = meter.tick(0)
  for (let passed = 0; passed < ms; passed += tickMs) hearing = meter.tick(tickMs)
  return hearing
}

test('a node that reports in time stays alive', () => {
  const meter = createSilenceMeter()
  for (let beat = 0; beat < 100; beat++) {
    expect(silentFor(meter, heartbeatMs)).toBe('alive')
    meter.heard()
  }
})

test('a silent node is suspect after a second and lost after 2.5 seconds', () => {
  const meter = createSilenceMeter()
  meter.heard()
  expect(silentFor(meter, 900)).toBe('alive')
  expect(silentFor(meter, 100)).toBe('suspect')
  expect(silentFor(meter, 1400)).toBe('suspect')
  expect(silentFor(meter, 100)).toBe('lost')
})

test('a node with long gaps is suspected later, but never after more than 1.5 seconds', () => {
  const meter = createSilenceMeter()
  silentFor(meter, 400)
  meter.heard()
  expect(silentFor(meter, 1100)).toBe('alive')
  expect(silentFor(meter, 100)).toBe('suspect')
  meter.heard()
  expect(silentFor(meter, 1400)).toBe('alive')
  expect(silentFor(meter, 100)).toBe('suspect')
})

test('a tick that comes late because this process was busy counts as two ticks at most', () => {
  const meter = createSilenceMeter()
  meter.heard()
  expect(meter.tick(60_000)).toBe('alive')
  expect(meter.tick(60_000)).toBe('alive')
})
