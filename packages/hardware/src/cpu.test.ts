import os from 'node:os'
import { expect, test } from 'vitest'
import { readCpu } from './cpu.ts'
import { parseCpuinfo, parseSysctl } from './instruction-sets.ts'
import { dockerV1, jetson, laptop, startFixtureMachine } from './testing/machine-fixtures.ts'

test('a laptop: two threads a core, flags every core has', async () => {
  await using machine = await startFixtureMachine(laptop)
  expect(await readCpu(machine)).toEqual({
    model: 'AMD Ryzen 7 7840HS w/ Radeon 780M Graphics',
    architecture: 'x64',
    physicalCores: 4,
    logicalCores: 8,
    usableCores: 8,
    instructionSets: ['ssse3', 'sse4_2', 'avx', 'f16c', 'fma', 'avx2', 'bmi2', 'avx512f'],
  })
})

test('a Jetson is named by its device tree, its sets by the names the field uses', async () => {
  await using machine = await startFixtureMachine(jetson, { architecture: 'arm64', availableParallelism: 6 })
  expect(await readCpu(machine)).toEqual({
    model: 'NVIDIA Jetson Orin Nano Developer Kit',
    architecture: 'arm64',
    physicalCores: 6,
    logicalCores: 6,
    usableCores: 6,
    instructionSets: ['neon', 'fp16', 'dotprod'],
  })
})

test('a quota in a container bounds the usable cores, affinity bounds them too', async () => {
  await using container = await startFixtureMachine({ ...laptop, ...dockerV1 })
  expect((await readCpu(container)).usableCores).toBe(1.5)
  expect((await readCpu({ ...container, availableParallelism: 1 })).usableCores).toBe(1)
})

test('what cannot be read is null', async () => {
  await using machine = await startFixtureMachine({})
  expect(await readCpu(machine)).toMatchObject({ model: null, physicalCores: null, instructionSets: null, logicalCores: os.cpus().length })
})

test('sets that only the big cores have do not count', () => {
  const cpuinfo = 'processor : 0\nFeatures : fp asimd asimddp\n\nprocessor : 1\nFeatures : fp asimd asimddp i8mm sve'
  expect(parseCpuinfo(cpuinfo, 'arm64')).toEqual(['neon', 'dotprod'])
  expect(parseCpuinfo('flags : fpu\n', 'x64')).toEqual([])
  expect(parseCpuinfo('processor : 0\n', 'x64')).toBeNull()
})

test('macOS tells by sysctl', () => {
  const apple =
    'hw.optional.AdvSIMD: 1\nhw.optional.neon: 1\nhw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_SME: 0\nhw.optional.arm.FEAT_BF16: 1'
  expect(parseSysctl(apple)).toEqual(['neon', 'dotprod', 'bf16'])
  expect(parseSysctl('hw.optional.avx1_0: 1\nhw.optional.avx2_0: 1\nhw.optional.avx512f: 0\n')).toEqual(['avx', 'avx2'])
})

test.runIf(process.platform === 'linux')('this machine', async () => {
  const cpu = await readCpu()
  expect(cpu.logicalCores).toBe(os.cpus().length)
  expect(cpu.usableCores).toBeGreaterThan(0)
  expect(cpu.usableCores).toBeLessThanOrEqual(os.availableParallelism())
  expect(cpu.architecture).toBe(process.arch)
})
