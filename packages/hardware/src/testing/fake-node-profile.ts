import type { NodeProfile } from '@shoal/core'

const gibibyte = 1024 ** 3

/** A plain machine for tests: 8 cores, 16 GiB of RAM of which 12 are free, 40 GB/s, no GPU, one wired address. */
export function createFakeNodeProfile(overrides: Partial<NodeProfile> = {}): NodeProfile {
  return {
    hostname: 'fake',
    platform: 'linux',
    osRelease: 'Linux 6.1.0',
    cpu: {
      model: 'Fake CPU',
      architecture: 'x64',
      physicalCores: 4,
      logicalCores: 8,
      usableCores: 8,
      instructionSets: ['avx', 'f16c', 'fma', 'avx2'],
    },
    memory: {
      totalBytes: 16 * gibibyte,
      limitBytes: 16 * gibibyte,
      availableBytes: 12 * gibibyte,
      bandwidthBytesPerSecond: 40e9,
    },
    gpus: [],
    disk: { path: '/models', totalBytes: 500 * gibibyte, freeBytes: 200 * gibibyte },
    battery: null,
    interfaces: [{ name: 'eth0', address: '192.0.2.10', family: 'IPv4', kind: 'wired', speedMbitPerSecond: 1000 }],
    ...overrides,
  }
}
