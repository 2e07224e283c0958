import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createFakeLog, createManualClock } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import { createShutdown, type SignalSource } from './shutdown.ts'

function setUp() {
  const exits: number[] = []
  const emitter = new EventEmitter()
  const source: SignalSource & EventEmitter = Object.assign(emitter, { exit: (code: number) => void exits.push(code) })
  const clock = createManualClock()
  return { exits, source, clock, shutdown: createShutdown({ log: createFakeLog(), source, clock }) }
}

test('the first signal asks for a drain, a second one exits with 130', () => {
  const { exits, source, clock, shutdown } = setUp()
  expect(shutdown.signal.aborted).toBe(false)
  source.emit('SIGINT', 'SIGINT')
  expect(shutdown.signal.aborted).toBe(true)
  expect(exits).toEqual([])
  clock.advance(500)
  source.emit('SIGTERM', 'SIGTERM')
  expect(exits).toEqual([130])
})

test('copies of one Ctrl-C, forwarded by parents, count once', () => {
  const { exits, source, clock } = setUp()
  for (const delayMs of [0, 3, 200]) {
    clock.advance(delayMs)
    source.emit('SIGINT', 'SIGINT')
  }
  expect(exits).toEqual([])
})

test('a drain can begin without a signal, and only once', () => {
  const { source, shutdown } = setUp()
  shutdown.begin('gateway failed')
  source.emit('SIGINT', 'SIGINT')
  expect(shutdown.signal.reason).toMatchObject({ message: 'gateway failed' })
})

test('a disposed shutdown listens no more', () => {
  const { source, shutdown } = setUp()
  shutdown[Symbol.dispose]()
  expect(source.listenerCount('SIGINT') + source.listenerCount('SIGTERM')).toBe(0)
})

test.skipIf(process.platform === 'win32')('a real process drains on SIGTERM and exits 0', async () => {
  const modulePath = fileURLToPath(new URL('./index.ts', import.meta.url))
  const code = `const { createLog, createShutdown } = await import(${JSON.stringify(modulePath)})
    const shutdown = createShutdown({ log: createLog({ level: 'info', name: 'x' }) })
    const alive = setInterval(() => {}, 1000)
    shutdown.signal.addEventListener('abort', () => { console.log('drained'); clearInterval(alive) })
    console.log('up')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'ignore'] })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (stdout === 'up\n') child.kill('SIGTERM')
  })
  const [exitCode] = await once(child, 'close')
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'up\ndrained\n' })
})
