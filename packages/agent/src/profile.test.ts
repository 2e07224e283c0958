import type { GpuProfile } from '@shoal/core'
import { createManualClock } from '@shoal/core/testing'
import { createFakeNodeProfile } from '@shoal/hardware/testing'
import { expect, test } from 'vitest'
import { createProfileSource } from './profile.ts'

const gpu: GpuProfile = { name: 'G', backend: 'cuda', vramTotalBytes: 8, vramFreeBytes: 8, unifiedMemory: false }

function source(gpus: readonly GpuProfile[] = []) {
  const clock = createManualClock()
  const calls = { probe: 0, memory: 0, gpus: 0 }
  const profile = createProfileSource({
    clock,
    probe: async () => {
      calls.probe++
      return createFakeNodeProfile({ gpus })
    },
    probeGpus: async () => {
      calls.gpus++
      return [{ ...gpu, vramFreeBytes: 1 }]
    },
    sampleMemory: async () => ({ totalBytes: 16, limitBytes: 8, availableBytes: 4 - calls.memory++ }),
  })
  return { clock, calls, profile }
}

test('questions at once share one probe', async () => {
  const { calls, profile } = source()
  await Promise.all([profile.current(), profile.current(), profile.current()])
  expect(calls).toEqual({ probe: 1, memory: 0, gpus: 0 })
})

test('memory is read again after a second, the rest after a minute', async () => {
  const { clock, calls, profile } = source()
  const first = await profile.current()
  clock.advance(999)
  expect(await profile.current()).toBe(first)
  clock.advance(1)
  const second = await profile.current()
  expect(second.memory).toEqual({ ...first.memory, totalBytes: 16, limitBytes: 8, availableBytes: 4 })
  expect(calls).toEqual({ probe: 1, memory: 1, gpus: 0 })
  clock.advance(60_000)
  await profile.current()
  expect(calls).toEqual({ probe: 2, memory: 1, gpus: 0 })
})

test('before a load memory is read again, and that of GPUs where there are some', async () => {
  const plain = source()
  await plain.profile.fresh()
  expect((await plain.profile.fresh()).memory.availableBytes).toBe(3)
  expect(plain.calls).toEqual({ probe: 1, memory: 2, gpus: 0 })
  const gaming = source([gpu])
  expect((await gaming.profile.fresh()).gpus[0]?.vramFreeBytes).toBe(1)
})
