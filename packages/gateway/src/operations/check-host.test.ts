import { expect, test } from 'vitest'
import { checkHost } from './check-host.ts'

test.each([null, 'localhost', 'LOCALHOST:8080', '127.0.0.1', '127.0.0.1:1', '127.1.2.3:65535', '[::1]', '[::1]:7411'])(
  '%s is this machine',
  (host) => {
    expect(() => checkHost(host)).not.toThrow()
  },
)

test.each([
  ...['evil.example', 'evil.example:7411', 'localhost.evil.example', '127.0.0.1.evil.example', '127.evil.example', 'x', ''],
  ...['192.168.1.4', '0.0.0.0', '[::]', '[fe80::1]', '::1', 'localhost:', 'localhost@evil.example', 'a'.repeat(5000)],
])('%s may be a page in a browser', (host) => {
  expect(() => checkHost(host)).toThrow(expect.objectContaining({ code: 'HOST_NOT_ALLOWED' }))
})
