import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { listInterfaces, readInterfaces } from './interfaces.ts'
import { type FileTree, startFixtureMachine } from './testing/machine-fixtures.ts'

const net = 'sys/class/net'

function info(address: string, internal = false): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '00:00:00:00:00:00', internal, cidr: null }
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}

/** What /sys/class/net has of one interface; `extra` names further entries of its folder. */
function link(name: string, extra: readonly string[] = [], files: FileTree = {}): FileTree {
  const common = { [`${net}/${name}/flags`]: '0x1003', [`${net}/${name}/operstate`]: 'up', [`${net}/${name}/type`]: '1' }
  const entries = extra.map((entry) => [`${net}/${name}/${entry}`, ''])
  const own = Object.entries(files).map(([file, content]) => [`${net}/${name}/${file}`, content])
  return { ...common, ...Object.fromEntries(entries), ...Object.fromEntries(own) }
}

const office: FileTree = {
  ...link('lo', [], { flags: '0x9', type: '772' }),
  ...link('eno1', ['device', 'master'], { speed: '2500' }),
  ...link('wlp2s0', ['device', 'wireless', 'phy80211'], { uevent: 'DEVTYPE=wlan\nINTERFACE=wlp2s0', speed: '-1' }),
  ...link('vmbr0', ['bridge', 'lower_eno1', 'lower_tap100i0'], { uevent: 'DEVTYPE=bridge', speed: '2500' }),
  ...link('vmbr0.20', ['lower_vmbr0'], { uevent: 'DEVTYPE=vlan', speed: '2500' }),
  ...link('docker0', ['bridge', 'lower_veth1a2b'], { uevent: 'DEVTYPE=bridge', speed: '10000' }),
  ...link('br-0123456789ab', ['bridge'], { uevent: 'DEVTYPE=bridge' }),
  ...link('veth1a2b', ['master'], { speed: '10000' }),
  ...link('virbr0', ['bridge'], { uevent: 'DEVTYPE=bridge' }),
  ...link('tailscale0', ['tun_flags'], { type: '65534', speed: '10' }),
  ...link('office', [], { uevent: 'DEVTYPE=wireguard', type: '65534' }),
  ...link('enp5s0', ['device'], { flags: '0x1002', operstate: 'down' }),
  ...link('eno2', ['device'], { operstate: 'down' }),
  ...link('eno3', ['device']),
  [`${net}/bonding_masters`]: '',
}

const addresses = {
  lo: [info('127.0.0.1', true), info('::1', true)],
  wlp2s0: [info('192.168.1.20'), info('fe80::1')],
  vmbr0: [info('10.0.0.5')],
  'vmbr0.20': [info('10.0.20.5')],
  docker0: [info('172.17.0.1')],
  'br-0123456789ab': [info('172.18.0.1')],
  veth1a2b: [info('fe80::2')],
  virbr0: [info('192.168.122.1')],
  tailscale0: [info('100.64.0.7')],
  office: [info('10.9.0.2')],
  eno3: [info('169.254.7.7')],
}

test('every interface of a busy host, with its kind, its speed and why it is skipped', async () => {
  await using machine = await startFixtureMachine(office)
  const listed = await listInterfaces({ ...machine, addresses })
  expect(listed.map(({ name, address, kind, speedMbitPerSecond, skip }) => [name, address, kind, speedMbitPerSecond, skip])).toEqual([
    ['lo', '127.0.0.1', 'loopback', null, 'loopback'],
    ['lo', '::1', 'loopback', null, 'loopback'],
    ['wlp2s0', '192.168.1.20', 'wireless', null, null],
    ['wlp2s0', 'fe80::1', 'wireless', null, 'link-local'],
    ['vmbr0', '10.0.0.5', 'wired', 2500, null],
    ['vmbr0.20', '10.0.20.5', 'wired', 2500, null],
    ['docker0', '172.17.0.1', 'virtual', null, 'container'],
    ['br-0123456789ab', '172.18.0.1', 'virtual', null, 'container'],
    ['veth1a2b', 'fe80::2', 'virtual', null, 'container'],
    ['virbr0', '192.168.122.1', 'virtual', null, 'hypervisor'],
    ['tailscale0', '100.64.0.7', 'virtual', null, 'vpn'],
    ['office', '10.9.0.2', 'virtual', null, 'vpn'],
    ['eno3', '169.254.7.7', 'wired', null, 'link-local'],
    ['eno1', null, 'wired', null, 'no-address'],
    ['eno2', null, 'wired', null, 'down'],
    ['enp5s0', null, 'wired', null, 'down'],
  ])
})

test("a container's or namespace's own end of its cable is its way out, whatever its name", async () => {
  await using machine = await startFixtureMachine({ ...link('eth0', [], { speed: '10000' }), ...link('veth-node') })
  const listed = await listInterfaces({
    ...machine,
    addresses: { eth0: [info('172.17.0.2')], 'veth-node': [info('10.77.0.2'), info('fe80::3')] },
  })
  expect(listed).toMatchObject([
    { name: 'eth0', kind: 'virtual', speedMbitPerSecond: null, skip: null },
    { name: 'veth-node', kind: 'virtual', skip: null },
    { name: 'veth-node', kind: 'virtual', skip: 'link-local' },
  ])
})

test('a bridge over Wi-Fi or a bond leads to hardware, one over nothing does not; a loop of links ends', async () => {
  await using machine = await startFixtureMachine({
    ...link('br0', ['bridge', 'lower_bond0']),
    ...link('bond0', ['lower_eno1']),
    ...link('eno1', ['device']),
    ...link('br1', ['bridge']),
    ...link('ring', ['lower_ring']),
  })
  const one = (address: string) => [info(address)]
  const listed = await listInterfaces({ ...machine, addresses: { br0: one('10.0.0.1'), br1: one('10.0.1.1'), ring: one('10.0.2.1') } })
  expect(listed.slice(0, 3)).toMatchObject([{ kind: 'wired' }, { kind: 'virtual' }, { kind: 'virtual' }])
})

test('the profile has addresses only', async () => {
  await using machine = await startFixtureMachine(office)
  const profile = await readInterfaces({ ...machine, addresses })
  expect(profile).toHaveLength(13)
  expect(profile[2]).toEqual({ name: 'wlp2s0', address: '192.168.1.20', family: 'IPv4', kind: 'wireless', speedMbitPerSecond: null })
})

test('without /sys the name decides, and what it does not tell is unknown', async () => {
  const listed = await listInterfaces({
    root: '/',
    platform: 'darwin',
    addresses: { en9: [info('10.0.0.9')], utun3: [info('10.8.0.2')], bridge100: [info('192.168.64.1')], lo0: [info('127.0.0.1', true)] },
  })
  expect(listed).toMatchObject([
    { name: 'en9', kind: 'unknown', skip: null },
    { name: 'utun3', kind: 'virtual', skip: 'vpn' },
    { name: 'bridge100', kind: 'virtual', skip: 'hypervisor' },
    { name: 'lo0', kind: 'loopback', skip: 'loopback' },
  ])
})
