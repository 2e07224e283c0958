import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { GpuProfile } from '@shoal/core'
import { createFakeLog } from '@shoal/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readBandwidthCache, writeBandwidthCache } from './bandwidth-cache.ts'
import { readCpu } from './cpu.ts'
import { sampleMemory } from './memory.ts'
import { probeNodeProfile, runProbe } from './node-profile.ts'

let folder = ''
let bandwidthCachePath = ''
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-profile-'))
  bandwidthCachePath = path.join(folder, 'cache', 'bandwidth.json')
})
afterEach(() => rm(folder, { recursive: true }))

const noGpus = async (): Promise<readonly GpuProfile[]> => []

/** Other tests run at the same time, so the bounds are wide. */
const patient = { probeTimeoutMs: 20_000 }

async function keyOfThisMachine() {
  const [cpu, memory] = await Promise.all([readCpu(), sampleMemory()])
  return { model: cpu.model, totalBytes: memory.totalBytes, usableCores: cpu.usableCores }
}

test('the profile of this machine is whole', async () => {
  const log = createFakeLog()
  const gpu: GpuProfile = { name: 'Test GPU', backend: 'vulkan', vramTotalBytes: null, vramFreeBytes: null, unifiedMemory: true }
  const profile = await probeNodeProfile({
    ...patient,
    modelsDir: path.join(folder, 'models'),
    probeGpus: async () => [gpu],
    bandwidthCachePath,
    log,
  })
  expect(profile).toMatchObject({ hostname: os.hostname(), platform: process.platform, gpus: [gpu] })
  expect(profile.memory.bandwidthBytesPerSecond).toBeGreaterThan(0.5e9)
  expect(profile.disk?.path).toBe(path.join(folder, 'models'))
  expect(profile.interfaces.map((each) => each.address)).toEqual(
    Object.values(os.networkInterfaces()).flatMap((infos) => (infos ?? []).map((each) => each.address)),
  )
  expect(log.entries.filter(({ level }) => level === 'warn')).toEqual([])
})

test('GPUs that fail or hang leave an empty list, a warning, and the rest of the profile', async () => {
  const key = await keyOfThisMachine()
  await writeBandwidthCache(bandwidthCachePath, key, { stored: { bytesPerSecond: 123e9, runs: 3 }, log: createFakeLog() })
  const failing = () => Promise.reject(new Error('driver and library do not match'))
  const hanging = () => new Promise<never>(() => undefined)
  for (const probeGpus of [failing, hanging]) {
    const log = createFakeLog()
    const profile = await probeNodeProfile({ ...patient, modelsDir: folder, probeGpus, bandwidthCachePath, log, gpuTimeoutMs: 5 })
    expect(profile.gpus).toEqual([])
    expect(profile.memory.totalBytes).toBe(os.totalmem())
    expect(log.entries.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { probe: 'gpus' } }])
  }
})

test('a figure of three starts is used as it is, unless a new one is asked for', async () => {
  const key = await keyOfThisMachine()
  await writeBandwidthCache(bandwidthCachePath, key, { stored: { bytesPerSecond: 123e12, runs: 3 }, log: createFakeLog() })
  const options = { ...patient, modelsDir: folder, probeGpus: noGpus, bandwidthCachePath, log: createFakeLog() }
  expect((await probeNodeProfile(options)).memory.bandwidthBytesPerSecond).toBe(123e12)
  const anew = await probeNodeProfile({ ...options, remeasureBandwidth: true })
  expect(anew.memory.bandwidthBytesPerSecond).toBeLessThan(2e12)
  expect((await readBandwidthCache(bandwidthCachePath, key))?.runs).toBeLessThanOrEqual(1)
})

test('the best of the first three starts is kept', async () => {
  const key = await keyOfThisMachine()
  await writeBandwidthCache(bandwidthCachePath, key, { stored: { bytesPerSecond: 123e12, runs: 1 }, log: createFakeLog() })
  const options = { ...patient, modelsDir: folder, probeGpus: noGpus, bandwidthCachePath, log: createFakeLog() }
  expect((await probeNodeProfile(options)).memory.bandwidthBytesPerSecond).toBe(123e12)
  const stored = await readBandwidthCache(bandwidthCachePath, key)
  expect(stored?.bytesPerSecond).toBe(123e12)
  // One more, unless other tests kept the cores busy.
  expect([1, 2]).toContain(stored?.runs)
})

test.each([
  ['another machine', '{"key":"other","bytesPerSecond":1,"runs":3}'],
  ['half a file', '{"key":'],
  ['no object', '[]'],
])('a stored figure of %s is not used', async (_name, text) => {
  const file = path.join(folder, 'bandwidth.json')
  await writeFile(file, text)
  expect(await readBandwidthCache(file, await keyOfThisMachine())).toBeNull()
})

test('a cache that cannot be written is a warning', async () => {
  const log = createFakeLog()
  await writeFile(path.join(folder, 'plain'), '')
  const file = path.join(folder, 'plain', 'bandwidth.json')
  await writeBandwidthCache(file, await keyOfThisMachine(), { stored: { bytesPerSecond: 1, runs: 1 }, log })
  expect(log.entries).toMatchObject([{ level: 'warn', fields: { file } }])
})

test('a probe that hangs is null after its bound, with a warning that names it', async () => {
  const log = createFakeLog()
  expect(await runProbe({ name: 'disk', run: () => new Promise<never>(() => undefined), timeoutMs: 5, log })).toBeNull()
  expect(log.entries).toMatchObject([{ level: 'warn', fields: { probe: 'disk' } }])
})
