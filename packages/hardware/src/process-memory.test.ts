import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { measureProcessBytes } from './process-memory.ts'
import { startFixtureMachine } from './testing/machine-fixtures.ts'

test('anonymous, file and shared pages are told apart', async () => {
  await using machine = await startFixtureMachine({
    'proc/77/status': 'Name:\tnode\nRssAnon:\t  2048 kB\nRssFile:\t  1024 kB\nRssShmem:\t     4 kB',
  })
  expect(await measureProcessBytes(77, machine)).toEqual({
    anonymousBytes: 2048 * 1024,
    fileBytes: 1024 * 1024,
    sharedBytes: 4096,
    residentBytes: 3076 * 1024,
  })
})

test('a process that is gone, or a system that does not say, is null', async () => {
  await using machine = await startFixtureMachine({ 'proc/78/status': 'Name:\tkthreadd\n' })
  expect(await measureProcessBytes(77, machine)).toBeNull()
  expect(await measureProcessBytes(78, machine)).toBeNull()
  expect(await measureProcessBytes(process.pid, { root: '/', platform: 'darwin' })).toBeNull()
})

test.runIf(process.platform === 'linux')('memory another process really fills is seen', async () => {
  const code = `const filled = Buffer.alloc(${64 * 1024 * 1024}, 1); console.log('filled'); process.stdin.on('end', () => process.exit(filled.length > 0 ? 0 : 1)).resume()`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  const bytes = await measureProcessBytes(child.pid ?? 0)
  child.stdin.end()
  await once(child, 'close')
  expect(bytes?.anonymousBytes).toBeGreaterThan(64 * 1024 * 1024)
  expect(bytes?.anonymousBytes).toBeLessThan(256 * 1024 * 1024)
  expect(bytes?.residentBytes).toBe((bytes?.anonymousBytes ?? 0) + (bytes?.fileBytes ?? 0) + (bytes?.sharedBytes ?? 0))
})
