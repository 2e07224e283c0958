import { expect, test } from 'vitest'
import { chooseProbeBytes, measureBandwidth, readCacheBytes } from './memory-bandwidth.ts'
import { gibibyte, mebibyte, startFixtureMachine } from './testing/machine-fixtures.ts'

test.each([
  ['a small machine reads 128 MiB', 4 * gibibyte, null, 128 * mebibyte],
  ['a large cache asks for four times its size', 64 * gibibyte, 96 * mebibyte, 384 * mebibyte],
  ['never more than 2 GiB', 512 * gibibyte, 768 * mebibyte, 2 * gibibyte],
  ['never more than a quarter of what is free', 400 * mebibyte, null, 96 * mebibyte],
  ['too little to tell memory from the cache', 400 * mebibyte, 96 * mebibyte, null],
  ['hardly any memory', 100 * mebibyte, null, null],
])('%s', (_name, availableBytes, cacheBytes, expected) => {
  expect(chooseProbeBytes(availableBytes, cacheBytes)).toBe(expected)
})

test('the caches of all clusters are added up, each counted once', async () => {
  const cpu = 'sys/devices/system/cpu'
  const files = Array.from({ length: 4 }, (_, core) => [
    [`${cpu}/cpu${core}/cache/index0/size`, '32K'],
    [`${cpu}/cpu${core}/cache/index3/size`, '16384K'],
    [`${cpu}/cpu${core}/cache/index3/shared_cpu_list`, core < 2 ? '0-1' : '2-3'],
  ]).flat()
  await using machine = await startFixtureMachine(Object.fromEntries(files))
  expect(await readCacheBytes(machine)).toBe(32 * mebibyte)
  await using bare = await startFixtureMachine({})
  expect(await readCacheBytes(bare)).toBeNull()
})

test('this machine reads at the speed of some memory', async () => {
  const measured = await measureBandwidth({ usableCores: 2, availableBytes: 256 * mebibyte, cacheBytes: null, timeoutMs: 20_000 })
  // The slowest board in the field has 4 GB/s, the widest server below 2 TB/s.
  expect(measured?.bytesPerSecond).toBeGreaterThan(0.5e9)
  expect(measured?.bytesPerSecond).toBeLessThan(2e12)
})

test('half a core is one thread, and no memory is no figure', async () => {
  const half = await measureBandwidth({ usableCores: 0.5, availableBytes: 128 * mebibyte, cacheBytes: null, timeoutMs: 20_000 })
  expect(half?.bytesPerSecond).toBeGreaterThan(0)
  expect(await measureBandwidth({ usableCores: 2, availableBytes: mebibyte, cacheBytes: null })).toBeNull()
})

test('a probe that takes too long is ended', async () => {
  const late = measureBandwidth({ usableCores: 1, availableBytes: gibibyte, cacheBytes: null, timeoutMs: 1 })
  await expect(late).rejects.toThrow(/signal SIGKILL/)
})
