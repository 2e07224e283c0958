import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createSilenceGuard } from './silence-guard.ts'

const turn = { timeMs: 250, timeoutMs: 1000 }

function createGuard(isNeeded: () => boolean = () => true) {
  const ping = vi.fn()
  const onSilent = vi.fn()
  return { ping, onSilent, guard: createSilenceGuard({ ...turn, ping, onSilent, isNeeded }) }
}

describe('silence of a peer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is answered by one ping, and reported when the ping is not answered', async () => {
    const { guard, ping, onSilent } = createGuard()
    guard.wake()
    await vi.advanceTimersByTimeAsync(490)
    expect(ping).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(900)
    expect(ping).toHaveBeenCalledTimes(1)
    expect(onSilent).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(200)
    expect(onSilent).toHaveBeenCalledTimes(1)
    expect(ping).toHaveBeenCalledTimes(1)
  })

  test('never lasts while something is heard', async () => {
    const { guard, ping, onSilent } = createGuard()
    guard.wake()
    for (let second = 0; second < 40; second += 1) {
      await vi.advanceTimersByTimeAsync(240)
      guard.heard()
    }
    expect(ping).not.toHaveBeenCalled()
    expect(onSilent).not.toHaveBeenCalled()
  })

  test('is not looked for when nothing is expected, and is again after a wake', async () => {
    let isNeeded = false
    const { guard, ping, onSilent } = createGuard(() => isNeeded)
    guard.wake()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(ping).not.toHaveBeenCalled()
    isNeeded = true
    await vi.advanceTimersByTimeAsync(10_000)
    expect(ping).not.toHaveBeenCalled()
    guard.wake()
    await vi.advanceTimersByTimeAsync(600)
    expect(ping).toHaveBeenCalledTimes(1)
    expect(onSilent).not.toHaveBeenCalled()
  })

  test('is not looked for after a stop', async () => {
    const { guard, ping, onSilent } = createGuard()
    guard.wake()
    await vi.advanceTimersByTimeAsync(300)
    guard.stop()
    guard.wake()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(ping).not.toHaveBeenCalled()
    expect(onSilent).not.toHaveBeenCalled()
  })
})
