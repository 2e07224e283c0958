import { execFile } from 'node:child_process'
import { accessSync, constants, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readCgroupCores } from './cgroup.ts'
import { containerV2, dockerV1, type FileTree, jetson, nestedV2, startFixtureMachine, unlimitedV1 } from './testing/machine-fixtures.ts'

test.each<[string, FileTree, number | null]>([
  ['no quota on version 1', unlimitedV1, null],
  ['one and a half cores on version 1', dockerV1, 1.5],
  ['two and a half on a parent in version 2', nestedV2, 2.5],
  ['half a core in a container on version 2', containerV2, 0.5],
  ['no control groups', jetson, null],
  ['a file nobody understands', { ...containerV2, 'sys/fs/cgroup/cpu.max': 'many' }, null],
])('%s', async (_name, tree, expected) => {
  await using machine = await startFixtureMachine(tree)
  expect(await readCgroupCores(machine)).toBe(expected)
})

const hierarchy = '/sys/fs/cgroup/memory'
const isWritable = (() => {
  try {
    accessSync(`${hierarchy}/memory.limit_in_bytes`, constants.W_OK)
    return true
  } catch {
    return false
  }
})()
const isSkipped = !isWritable && process.env.REQUIRE_ALL !== '1'
if (isSkipped) console.info('skipped: a process under a real memory limit (needs root and a version 1 memory hierarchy)')

test.skipIf(isSkipped)('a process under a real memory limit sees that limit', async () => {
  const folder = `${hierarchy}/shoal-test-${process.pid}`
  const limitBytes = 512 * 1024 * 1024
  mkdirSync(folder)
  try {
    writeFileSync(`${folder}/memory.limit_in_bytes`, String(limitBytes))
    const modulePath = fileURLToPath(new URL('./memory.ts', import.meta.url))
    const code = `require('node:fs').writeFileSync('${folder}/cgroup.procs', String(process.pid))
      import(${JSON.stringify(modulePath)}).then(async ({ sampleMemory }) => console.log(JSON.stringify(await sampleMemory())))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=commonjs', '-e', code])
    const sample: { limitBytes: number; availableBytes: number } = JSON.parse(stdout)
    expect(sample.limitBytes).toBe(limitBytes)
    expect(sample.availableBytes).toBeLessThan(limitBytes)
    expect(sample.availableBytes).toBeGreaterThan(limitBytes / 4)
  } finally {
    rmdirSync(folder)
  }
})
