import os from 'node:os'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sampleMemory } from './memory.ts'
import {
  containerV2,
  dockerV1,
  type FileTree,
  gibibyte,
  jetson,
  mebibyte,
  meminfo,
  nestedV2,
  startFixtureMachine,
  unlimitedV1,
} from './testing/machine-fixtures.ts'

test.each<[string, FileTree, { totalBytes: number; limitBytes: number; availableBytes: number }]>([
  ['a host without limits', unlimitedV1, { totalBytes: 24 * gibibyte, limitBytes: 24 * gibibyte, availableBytes: 20 * gibibyte }],
  // 2048 - (1536 - 768) MiB: page cache of the container can be given back
  ['a container on version 1', dockerV1, { totalBytes: 32 * gibibyte, limitBytes: 2 * gibibyte, availableBytes: 1280 * mebibyte }],
  // The service bounds the limit (8 GiB), its parent what is left: 10 - (9 - 1.5) = 2.5 GiB
  ['a service on version 2', nestedV2, { totalBytes: 32 * gibibyte, limitBytes: 8 * gibibyte, availableBytes: 2.5 * gibibyte }],
  ['a container on version 2', containerV2, { totalBytes: 64 * gibibyte, limitBytes: 4 * gibibyte, availableBytes: 3 * gibibyte }],
  ['a board without control groups', jetson, { totalBytes: 8 * gibibyte, limitBytes: 8 * gibibyte, availableBytes: 6 * gibibyte }],
  [
    'a group above the namespace',
    { ...containerV2, 'proc/self/cgroup': '0::/../../other' },
    { totalBytes: 64 * gibibyte, limitBytes: 4 * gibibyte, availableBytes: 3 * gibibyte },
  ],
  [
    'a limit above the memory there is',
    { ...containerV2, 'sys/fs/cgroup/memory.max': String(128 * gibibyte) },
    { totalBytes: 64 * gibibyte, limitBytes: 64 * gibibyte, availableBytes: 60 * gibibyte },
  ],
  [
    'a group that uses more than its limit',
    { ...containerV2, 'sys/fs/cgroup/memory.current': String(5 * gibibyte), 'sys/fs/cgroup/memory.stat': '' },
    { totalBytes: 64 * gibibyte, limitBytes: 4 * gibibyte, availableBytes: 0 },
  ],
  [
    'a mount point with a space in its name',
    {
      ...meminfo(8 * gibibyte, 8 * gibibyte),
      'proc/self/cgroup': '0::/',
      'proc/self/mountinfo': '900 890 0:26 / /sys/my\\040groups ro - cgroup2 cgroup rw',
      'sys/my groups/memory.max': String(gibibyte),
    },
    { totalBytes: 8 * gibibyte, limitBytes: gibibyte, availableBytes: gibibyte },
  ],
  [
    'a kernel without MemAvailable',
    { 'proc/meminfo': 'MemTotal: 8192 kB\nMemFree: 1024 kB\nBuffers: 512 kB\nCached: 1024 kB\nShmem: 256 kB' },
    { totalBytes: 8192 * 1024, limitBytes: 8192 * 1024, availableBytes: 2304 * 1024 },
  ],
])('%s', async (_name, tree, expected) => {
  await using machine = await startFixtureMachine(tree)
  expect(await sampleMemory(machine)).toEqual(expected)
})

test('the tightest of all levels wins, whatever their order', async () => {
  const limit = fc.option(fc.integer({ min: 1, max: 48 }), { nil: null })
  await fc.assert(
    fc.asyncProperty(fc.array(limit, { minLength: 1, maxLength: 5 }), async (limits) => {
      const names = limits.map((_, index) => Array.from({ length: index }, (_, level) => `g${level}`).join('/'))
      const files = limits.map((gibibytes, index) => [
        `sys/fs/cgroup/${names[index]}/memory.max`,
        gibibytes === null ? 'max' : String(gibibytes * gibibyte),
      ])
      await using machine = await startFixtureMachine({
        ...meminfo(32 * gibibyte, 30 * gibibyte),
        'proc/self/cgroup': `0::/${names.at(-1)}`,
        'proc/self/mountinfo': '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
        ...Object.fromEntries(files),
      })
      const { limitBytes, availableBytes } = await sampleMemory(machine)
      const tightest = Math.min(32, ...limits.map((each) => each ?? 32))
      expect(limitBytes).toBe(tightest * gibibyte)
      expect(availableBytes).toBe(Math.min(30, tightest) * gibibyte)
    }),
    { numRuns: 25 },
  )
})

test('this machine: total as Node says, available within the limit within the total', async () => {
  const { totalBytes, limitBytes, availableBytes } = await sampleMemory()
  expect(totalBytes).toBe(os.totalmem())
  expect(limitBytes).toBeLessThanOrEqual(totalBytes)
  expect(availableBytes).toBeLessThanOrEqual(limitBytes)
  expect(availableBytes).toBeGreaterThan(0)
})

test('systems without /proc are asked through Node and systeminformation', async () => {
  for (const platform of ['darwin', 'win32']) {
    const { totalBytes, limitBytes, availableBytes } = await sampleMemory({ root: '/', platform })
    expect([totalBytes, limitBytes]).toEqual([os.totalmem(), os.totalmem()])
    expect(availableBytes).toBeGreaterThan(0)
    expect(availableBytes).toBeLessThanOrEqual(totalBytes)
  }
})
