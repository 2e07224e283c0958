import { describe, expect, it } from 'vitest'
import { chooseInterfaces, type InterfaceAddress, isOnLink, mayHear, readInterfaces } from './interfaces.ts'

const link = (name: string, overrides: Partial<InterfaceAddress> = {}): InterfaceAddress => ({
  name,
  address: '192.168.1.10',
  netmask: '255.255.255.0',
  family: 'IPv4',
  mac: '02:00:00:00:00:01',
  internal: false,
  ...overrides,
})
const lo = link('lo', { address: '127.0.0.1', netmask: '255.0.0.0', mac: '00:00:00:00:00:00', internal: true })
const usedNames = (all: readonly InterfaceAddress[], loopback = false) => chooseInterfaces(all, { loopback }).used.map(({ name }) => name)

describe('which interfaces speak mDNS', () => {
  it.each(['eth0', 'eno1', 'enp3s0', 'wlan0', 'wlp2s0', 'en0', 'bridge0', 'bond0', 'br0', 'Ethernet', 'Wi-Fi', 'ens18'])(
    'uses %s',
    (name) => {
      expect(usedNames([lo, link(name), link('docker0')])).toEqual([name])
    },
  )

  it.each([
    ['docker0', 'virtual'],
    ['br-5f1d2c3b4a59', 'virtual'],
    ['veth12ab', 'virtual'],
    ['virbr0', 'virtual'],
    ['lxdbr0', 'virtual'],
    ['cni0', 'virtual'],
    ['bridge100', 'virtual'],
    ['vEthernet (WSL)', 'virtual'],
    ['VirtualBox Host-Only Network', 'virtual'],
    ['tun0', 'tunnel'],
    ['wg0', 'tunnel'],
    ['utun4', 'tunnel'],
    ['tailscale0', 'tunnel'],
    ['ztabcdef12', 'tunnel'],
    ['ppp0', 'tunnel'],
    ['Tailscale', 'tunnel'],
  ])('skips %s as %s when there is a real one', (name, reason) => {
    const choice = chooseInterfaces([link(name), link('eth0')])
    expect(choice.used.map((used) => used.name)).toEqual(['eth0'])
    expect(choice.skipped.map((entry) => [entry.interface.name, entry.reason])).toEqual([[name, reason]])
    expect(choice.onlyVirtual).toBe(false)
  })

  it('skips what has no hardware address as a tunnel, whatever its name', () => {
    expect(usedNames([link('corp', { mac: '00:00:00:00:00:00' }), link('eth0')])).toEqual(['eth0'])
  })

  it('uses virtual interfaces and says so when there are no others, but never tunnels', () => {
    const choice = chooseInterfaces([lo, link('veth1'), link('tailscale0')])
    expect(choice.used.map(({ name }) => name)).toEqual(['veth1'])
    expect(choice.onlyVirtual).toBe(true)
    expect(choice.skipped.map(({ reason }) => reason)).toEqual(['loopback', 'tunnel'])
    expect(chooseInterfaces([lo, link('wg0')])).toMatchObject({ used: [], onlyVirtual: false })
  })

  it('uses the first IPv4 address of an interface only, and no IPv6', () => {
    const choice = chooseInterfaces([
      link('eth0', { address: 'fd00::1', netmask: 'ffff::', family: 'IPv6' }),
      link('eth0'),
      link('eth0', { address: '10.0.0.1' }),
    ])
    expect(choice.used).toEqual([link('eth0')])
    expect(choice.skipped.map(({ reason }) => reason)).toEqual(['second address'])
  })

  it('uses loopback only when asked to', () => {
    expect(usedNames([lo])).toEqual([])
    expect(usedNames([lo], true)).toEqual(['lo'])
  })

  it('reads the interfaces of this machine', () => {
    expect(readInterfaces()).toContainEqual(expect.objectContaining({ address: '127.0.0.1', internal: true, family: 'IPv4' }))
  })
})

describe('whose packets an interface may hear', () => {
  it.each([
    ['192.168.1.10', '255.255.255.0', '192.168.1.200', true],
    ['192.168.1.10', '255.255.255.0', '192.168.2.1', false],
    ['10.1.2.3', '255.255.254.0', '10.1.3.255', true],
    ['10.1.2.3', '255.255.254.0', '10.1.4.0', false],
    ['200.1.2.3', '255.0.0.0', '200.9.9.9', true],
    ['10.0.0.1', '255.255.255.255', '10.0.0.2', false],
    ['10.0.0.1', '255.255.255.0', 'fe80::1', false],
    ['10.0.0.1', '255.255.255.0', 'nonsense', false],
  ])('%s/%s and %s: %s', (address, netmask, sender, expected) => {
    expect(isOnLink(link('eth0', { address, netmask }), sender)).toBe(expected)
  })

  it('hears everyone where the netmask says nothing of the neighbours', () => {
    expect(mayHear(link('eth0', { netmask: '255.255.255.255' }), '10.9.9.9')).toBe(true)
    expect(mayHear(link('eth0'), '10.9.9.9')).toBe(false)
  })
})
