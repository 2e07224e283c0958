import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Announcement,
  announcedPeers,
  checkSelf,
  checkText,
  describeService,
  type HeardService,
  parseAnnouncement,
  serviceTypes,
} from './announcement.ts'
import type { InterfaceAddress } from './interfaces.ts'

const eth0: InterfaceAddress = {
  name: 'eth0',
  address: '192.168.1.10',
  netmask: '255.255.255.0',
  family: 'IPv4',
  mac: '02:00:00:00:00:01',
  internal: false,
}
const docker0: InterfaceAddress = { ...eth0, name: 'docker0', address: '172.17.0.1', netmask: '255.255.0.0' }
const nodeId = '0123456789abcdef0123456789abcdef'
const record = describeService({
  self: { role: 'agent', id: nodeId, port: 7412 },
  incarnation: 'deadbeef',
  generation: 3,
  address: '192.168.1.20',
})
const heard = (overrides: Partial<HeardService> = {}): HeardService => ({
  ...record,
  fqdn: `${record.name}._shoal._tcp.local`,
  addresses: ['192.168.1.20'],
  sender: '192.168.1.20',
  ...overrides,
})
const parse = (overrides: Partial<HeardService> = {}): Announcement | null => parseAnnouncement(heard(overrides), eth0, [docker0])

describe('what is published', () => {
  it('carries the id, the format, the protocol and the role, and nothing else', () => {
    expect(record).toEqual({
      type: 'shoal',
      name: `${nodeId}-192-168-1-20-7412`,
      host: 'shoal-deadbeef-3-192-168-1-20.local',
      port: 7412,
      txt: { txtvers: '1', id: nodeId, proto: '1', role: 'agent' },
    })
    expect(serviceTypes).toEqual({ agent: 'shoal', gateway: 'shoal-gw' })
  })

  it('fits into one DNS label for every id, address and port', () => {
    const self = checkSelf({ role: 'gateway', id: 'x'.repeat(40), port: 65_535 })
    const longest = describeService({ self, incarnation: 'deadbeef', generation: 65_535, address: '255.255.255.255' })
    expect(longest.name.length).toBeLessThanOrEqual(63)
    expect(longest.host.length).toBeLessThanOrEqual(63)
  })

  it.each([
    [{ id: '', port: 1 }, 'The id ""'],
    [{ id: 'a.b', port: 1 }, 'The id "a.b"'],
    [{ id: 'x'.repeat(41), port: 1 }, 'more than 40'],
    [{ id: 'a', port: 0 }, 'The port 0'],
    [{ id: 'a', port: 65_536 }, 'The port 65536'],
    [{ id: 'a', port: 1.5 }, 'The port 1.5'],
  ])('is refused for %o', (self, why) => {
    expect(() => checkSelf({ role: 'agent', ...self })).toThrow(why)
  })

  it.each([
    [{ toolongkey: '1' }, 'The text key "toolongkey"'],
    [{ 'a=b': '1' }, 'The text key "a=b"'],
    [{ id: 'x'.repeat(253) }, 'has 256 bytes; at most 255'],
    [{ a: 'x'.repeat(200), b: 'x'.repeat(200) }, 'has 406 bytes; at most 400'],
  ])('has a text record within its limits (%#)', (txt, why) => {
    expect(() => checkText(txt)).toThrow(why)
  })
})

describe('what is heard', () => {
  it('is read back from what is published', () => {
    expect(parse()).toEqual({
      key: `eth0/192.168.1.10/255.255.255.0 ${nodeId}-192-168-1-20-7412._shoal._tcp.local`,
      role: 'agent',
      id: nodeId,
      incarnation: 'deadbeef',
      generation: 3,
      via: 'eth0/192.168.1.10/255.255.255.0',
      sender: '192.168.1.20',
      port: 7412,
      addresses: ['192.168.1.20'],
    })
  })

  it('offers the sender first, then its other addresses on this link, then the rest, at most eight', () => {
    const addresses = ['10.0.0.5', '192.168.1.21', '192.168.1.20', 'fd00::5']
    const announcement = parse({ addresses })
    expect(announcement === null ? null : announcedPeers(announcement)).toEqual([
      '192.168.1.20:7412',
      '192.168.1.21:7412',
      '10.0.0.5:7412',
      '[fd00::5]:7412',
    ])
    expect(parse({ addresses: Array.from({ length: 50 }, (_, index) => `10.0.0.${index}`) })?.addresses).toHaveLength(8)
  })

  it.each([
    'fe80::1',
    '169.254.3.4',
    '127.0.0.1',
    '::1',
    '0.0.0.0',
    '224.0.0.251',
    'ff02::fb',
    '255.255.255.255',
    '172.17.0.1',
    'nonsense',
    '',
  ])('leaves out the claimed address "%s", which leads nowhere from here', (address) => {
    expect(parse({ addresses: [address] })?.addresses).toEqual(['192.168.1.20'])
  })

  it('keeps a link-local sender: two machines on one cable have no other address', () => {
    expect(parse({ sender: '169.254.3.4', addresses: ['169.254.3.4'] })?.addresses).toEqual(['169.254.3.4'])
  })

  it.each<[string, Partial<HeardService>]>([
    ['another service', { type: 'http' }],
    ['a host name of another form', { host: 'printer.local' }],
    ['no host name', { host: '' }],
    ['no text', { txt: {} }],
    ['another text version', { txt: { ...record.txt, txtvers: '2' } }],
    ['an id with control characters', { txt: { ...record.txt, id: 'a\u001b[2J' } }],
    ['an id that is too long', { txt: { ...record.txt, id: 'x'.repeat(41) } }],
    ['port 0', { port: 0 }],
    ['no sender', { sender: '' }],
  ])('is ignored with %s', (_, overrides) => {
    expect(parse(overrides)).toBeNull()
  })

  it('never throws, whatever is in the packet', () => {
    const text = fc.string({ unit: 'binary' })
    const service = fc.record({
      type: fc.constantFrom('shoal', 'shoal-gw', 'x'),
      fqdn: text,
      host: fc.oneof(text, fc.constant(record.host)),
      port: fc.oneof(fc.integer(), fc.constant(Number.NaN)),
      txt: fc.oneof(fc.dictionary(text, text), fc.constant(record.txt)),
      addresses: fc.array(fc.oneof(text, fc.ipV4(), fc.ipV6()), { maxLength: 20 }),
      sender: fc.oneof(text, fc.ipV4()),
    })
    fc.assert(
      fc.property(service, (value) => {
        const announcement = parseAnnouncement(value, eth0, [docker0])
        if (announcement === null) return
        expect(announcement.addresses.length).toBeLessThanOrEqual(8)
        expect(announcement.addresses[0]).toBe(value.sender)
      }),
      { numRuns: 500 },
    )
  })
})
