import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createLog, type LogOptions } from './log.ts'

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const log = createLog({ level: 'debug', name: 'agent', destination: { write: (line) => lines.push(line) }, ...options })
  return { log, lines, entries: () => lines.map((line): unknown => JSON.parse(line)) }
}

test('a line has level, time, name, fields and message', () => {
  const { log, entries } = capture()
  log.warn({ nodeId: 'ab' }, 'node lost')
  expect(entries()).toMatchObject([
    { level: 'warn', name: 'agent', nodeId: 'ab', msg: 'node lost', time: expect.stringMatching(/^\d{4}-/) },
  ])
})

test('a level keeps quieter lines out, and silent keeps all out', () => {
  const warn = capture({ level: 'warn' })
  warn.log.info({}, 'no')
  warn.log.error({}, 'yes')
  expect(warn.entries()).toMatchObject([{ msg: 'yes' }])
  const silent = capture({ level: 'silent' })
  silent.log.error({}, 'no')
  expect(silent.lines).toEqual([])
})

test.each([
  [{ authorization: 'SECRET' }],
  [{ headers: { Authorization: 'Bearer SECRET', 'x-api-key': 'SECRET', 'api-key': 'SECRET' } }],
  [{ request: { headers: { authorization: 'SECRET', 'x-api-key': 'SECRET' } } }],
  [{ messages: [{ role: 'user', content: 'SECRET' }] }],
  [{ body: { prompt: 'SECRET', messages: ['SECRET'] } }],
  [{ choices: [{ message: { content: 'SECRET' } }] }],
  [{ frames: [{ seq: 1, text: 'SECRET' }] }],
])('%j is redacted, at the call, in a child, and in lines for people', (fields) => {
  const { log, lines } = capture()
  log.info(fields, 'said')
  log.child(fields).info({}, 'said')
  const people = capture({ pretty: true })
  people.log.info(fields, 'said')
  const text = [...lines, ...people.lines].join('')
  expect(text).not.toContain('SECRET')
  expect(text.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(3)
})

test('redaction does not touch the object that was logged', () => {
  const fields = { headers: { authorization: 'kept' } }
  capture().log.info(fields, 'said')
  expect(fields).toEqual({ headers: { authorization: 'kept' } })
})

test('errors keep message and code, and lines for people show them', () => {
  const err = Object.assign(new Error('no route'), { code: 'NODE_LOST' })
  const { log, entries } = capture()
  log.error({ err }, 'failed')
  expect(entries()).toMatchObject([{ err: { message: 'no route', code: 'NODE_LOST', stack: expect.any(String) } }])
  const people = capture({ pretty: true })
  people.log.child({ modelId: 'a b' }).error({ err, attempt: 2 }, 'failed')
  expect(people.lines).toEqual([expect.stringMatching(/^\d\d:\d\d:\d\d error agent: failed modelId="a b" err="no route" attempt=2\n$/)])
})

test('every line written before an exit reaches stderr, and none stdout', async () => {
  const modulePath = fileURLToPath(new URL('./log.ts', import.meta.url))
  const code = `const { createLog } = await import(${JSON.stringify(modulePath)})
    const log = createLog({ level: 'info', name: 'x' })
    for (let n = 0; n < 2000; n++) log.info({ n, filler: 'x'.repeat(200) }, 'line')
    process.exit(3)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const [exitCode] = await once(child, 'close')
  expect(exitCode).toBe(3)
  expect(stdout).toBe('')
  expect(stderr.trimEnd().split('\n')).toHaveLength(2000)
  expect(stderr).toContain('"n":1999')
})

test.runIf(process.platform === 'linux')('a full disk behind stderr loses lines and not the program', async () => {
  const modulePath = fileURLToPath(new URL('./log.ts', import.meta.url))
  const code = `const { createLog } = await import(${JSON.stringify(modulePath)})
    const log = createLog({ level: 'info', name: 'x' })
    for (let n = 0; n < 100; n++) log.info({ n }, 'line')
    await new Promise((resolve) => setImmediate(resolve))
    log.info({}, 'after')
    console.log('alive')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', openSync('/dev/full', 'w')] })
  let stdout = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  const [exitCode] = await once(child, 'close')
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'alive\n' })
})
