import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { listenError } from './listen-error.ts'

test('a port in use names host, port and the flag that chooses another', async () => {
  const first = createServer().listen(0, '127.0.0.1')
  await once(first, 'listening')
  const address = first.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const second = createServer()
  const failed = once(second, 'error')
  second.listen(port, '127.0.0.1')
  const [error] = await failed
  const shown = listenError({ error, host: '127.0.0.1', port, what: 'gateway', flag: '--gateway-port' })
  first.close()
  expect(shown.code).toBe('PORT_IN_USE')
  expect(shown.message).toBe(`gateway cannot listen on 127.0.0.1:${port}: another program uses port ${port}.`)
  expect(shown.remedy).toContain('--gateway-port')
  expect(shown.cause).toBe(error)
})

test.each([
  ['EADDRINUSE', 'PORT_IN_USE', 'another program uses port 80'],
  ['EACCES', 'PORT_IN_USE', 'refuses port 80 to this user'],
  ['EADDRNOTAVAIL', 'USAGE', 'fd00::9 is not an address of this machine'],
  ['EMFILE', 'INTERNAL', 'listen EMFILE'],
] as const)('%s becomes %s', (systemCode, code, text) => {
  const error = Object.assign(new Error(`listen ${systemCode}`), { code: systemCode })
  const shown = listenError({ error, host: 'fd00::9', port: 80 })
  expect(shown.code).toBe(code)
  expect(shown.message).toContain(text)
})

test('an error that carries the code only in its text, as grpc-js gives it, is understood', () => {
  const error = new Error('No address added out of total 1 resolved errors: [listen EADDRINUSE: address already in use 127.0.0.1:7412]')
  expect(listenError({ error, host: '127.0.0.1', port: 7412 }).code).toBe('PORT_IN_USE')
})
