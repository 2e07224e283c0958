import { Metadata, status } from '@grpc/grpc-js'
import { type ErrorCode, ShoalError } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeErrorTrailer, encodeErrorTrailer, errorTrailerKey } from './codec/error-trailer.ts'
import { errorFromStatus, statusFromError } from './grpc-status.ts'

const plain = (code: status, details = 'details') => ({ code, details, metadata: new Metadata() })

describe('a status without our trailer', () => {
  test.each<[status, ErrorCode]>([
    [status.UNAVAILABLE, 'NODE_LOST'],
    [status.CANCELLED, 'NODE_LOST'],
    [status.INTERNAL, 'NODE_LOST'],
    [status.UNKNOWN, 'NODE_LOST'],
    [status.UNIMPLEMENTED, 'NODE_LOST'],
    [status.UNAUTHENTICATED, 'NODE_LOST'],
    [status.DEADLINE_EXCEEDED, 'DEADLINE_EXCEEDED'],
    [status.INVALID_ARGUMENT, 'INVALID_REQUEST'],
    [status.NOT_FOUND, 'MODEL_UNKNOWN'],
    [status.RESOURCE_EXHAUSTED, 'NODE_BUSY'],
    [status.ABORTED, 'ENGINE_CRASHED'],
  ])('%i is %s and names the node', (code, expected) => {
    expect(errorFromStatus(plain(code), '10.0.0.7:7420')).toMatchObject({
      name: 'ShoalError',
      code: expected,
      message: expect.stringContaining('10.0.0.7:7420'),
    })
  })
})

describe('the trailer', () => {
  test('decides, whatever the status says', () => {
    const received = statusFromError(new ShoalError({ code: 'NODE_DRAINING', message: 'leaving' }))
    expect(received.code).toBe(status.UNAVAILABLE)
    expect(errorFromStatus(received, 'n')).toMatchObject({ code: 'NODE_DRAINING', message: 'leaving' })
  })

  test.each([
    ['no JSON', 'nonsense'],
    ['an unknown code', '{"code":"MADE_UP","message":"m"}'],
    ['a name every object has', '{"code":"constructor","message":"m"}'],
    ['no message', '{"code":"NODE_BUSY"}'],
    ['null', 'null'],
    ['too large', JSON.stringify({ code: 'NODE_BUSY', message: 'x'.repeat(5000) })],
  ])('is ignored when it holds %s', (_name, text) => {
    const received = plain(status.UNAVAILABLE)
    received.metadata.set(errorTrailerKey, Buffer.from(text))
    expect(errorFromStatus(received, 'n')).toMatchObject({ code: 'NODE_LOST' })
  })

  test('of any error fits into 4 KiB and can be read', () => {
    const text = fc.string({ unit: fc.oneof(fc.constantFrom('\u0000', '\ud800', '"', '\u{1F600}'), fc.string()), maxLength: 9000 })
    const facts = fc.record({ code: fc.constant('NODE_BUSY' as const), message: text, remedy: text, param: text })
    fc.assert(
      fc.property(facts, (one) => {
        const error = new ShoalError(one)
        const bytes = encodeErrorTrailer(error)
        expect(bytes.byteLength).toBeLessThanOrEqual(4096)
        expect(decodeErrorTrailer(bytes)).toMatchObject({ code: 'NODE_BUSY' })
        // gRPC puts the details through encodeURI, which refuses half a surrogate pair.
        expect(() => encodeURI(statusFromError(error).details)).not.toThrow()
      }),
    )
  })
})
