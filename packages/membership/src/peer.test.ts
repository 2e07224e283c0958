import { ShoalError } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPeer, parsePeer } from './peer.ts'

const problem = (text: string): ShoalError => {
  try {
    parsePeer(text, 7412)
  } catch (error) {
    if (error instanceof ShoalError) return error
    throw error
  }
  throw new Error(`"${text}" was accepted`)
}

describe('a static peer', () => {
  it.each([
    ['192.168.1.20', '192.168.1.20', 7412],
    ['192.168.1.20:9000', '192.168.1.20', 9000],
    [' box.local:1 ', 'box.local', 1],
    ['box', 'box', 7412],
    ['my_box-2.example.org:65535', 'my_box-2.example.org', 65_535],
    ['[fd00::2]', 'fd00::2', 7412],
    ['[fd00::2]:80', 'fd00::2', 80],
    ['fd00::2', 'fd00::2', 7412],
    ['::1', '::1', 7412],
  ])('"%s" is host %s, port %i', (text, host, port) => {
    expect(parsePeer(text, 7412)).toEqual({ host, port })
  })

  it.each([
    ['', 'it is empty'],
    ['   ', 'it is empty'],
    ['http://box:80', 'it is a URL'],
    [':80', 'the host is missing'],
    ['box:', '"" is not a port'],
    ['box:0', '"0" is not a port'],
    ['box:65536', '"65536" is not a port'],
    ['box:80a', '"80a" is not a port'],
    ['box:1:2', 'more than one colon'],
    ['300.1.1.1', 'is not an IPv4 address'],
    ['1.2.3', 'is not an IPv4 address'],
    ['[box]:80', '"box" is not an IPv6 address'],
    ['[fd00::2', 'more than one colon'],
    ['bo x', 'is not a host name'],
    ['box/path', 'is not a host name'],
    ['-box', 'is not a host name'],
    ['a..b', 'is not a host name'],
    [`${'a'.repeat(64)}.org`, 'is not a host name'],
  ])('"%s" is refused: %s', (text, why) => {
    const error = problem(text)
    expect(error.code).toBe('USAGE')
    expect(error.message).toContain(why)
    expect(error.remedy).toContain('HOST:PORT')
  })

  it('shortens a text of any length in its error', () => {
    expect(problem(`${'x'.repeat(100_000)}!`).message.length).toBeLessThan(500)
  })

  it('is read back from its own form', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain())
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
        const peer = { host: name, port }
        expect(parsePeer(formatPeer(peer), 1)).toEqual(peer)
      }),
    )
  })

  it('is parsed or refused with USAGE, never otherwise', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]:.0-9a-f]{0,20}$/)), (text) => {
        try {
          const { port } = parsePeer(text, 7412)
          expect(port).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE' })
        }
      }),
    )
  })
})
