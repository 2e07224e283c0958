import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@shoal/core'
import { createFakeLog, createManualClock } from '@shoal/core/testing'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { checkMulticast } from './check-multicast.ts'
import type { InterfaceAddress } from './interfaces.ts'
import type { Candidate } from './member-table.ts'
import { type Membership, type MembershipOptions, startMembership } from './membership.ts'
import { createFakeLan } from './testing.ts'

const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
const lo = (address = '127.0.0.1'): InterfaceAddress => ({
  name: 'lo',
  address,
  netmask: '255.0.0.0',
  family: 'IPv4',
  mac: '00:00:00:00:00:00',
  internal: true,
})

let udpPort = 0
let obstacle: string | null = null
const opened: Membership[] = []

beforeAll(async () => {
  const probe = createSocket('udp4')
  probe.bind(0)
  await once(probe, 'listening')
  udpPort = (probe.address() as AddressInfo).port
  probe.close()
  const log = createFakeLog()
  const report = await checkMulticast({
    timeoutMs: 500,
    log,
    clock: realClock,
    interfaces: () => [lo()],
    transport: { loopback: true, port: udpPort },
  })
  obstacle = report.works ? null : `no multicast on loopback here: ${report.interfaces[0]?.reason ?? report.reason}`
  if (obstacle !== null && process.env.REQUIRE_ALL === '1') throw new Error(obstacle)
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((membership) => membership[Symbol.asyncDispose]()))
})

/** A member whose list of candidates can be waited for. */
async function join(start: (options: MembershipOptions) => Promise<Membership>, options: Partial<MembershipOptions>) {
  const log = createFakeLog()
  let candidates: readonly Candidate[] = []
  const waiting = new Set<() => void>()
  const membership = await start({
    announce: null,
    browse: [],
    peers: [],
    peerPort: 7412,
    log,
    clock: realClock,
    interfaces: () => [lo()],
    transport: { loopback: true, port: udpPort },
    onChange(next) {
      candidates = next
      for (const check of waiting) check()
    },
    ...options,
  })
  opened.push(membership)
  return {
    membership,
    log,
    instances: () => candidates.map(({ instance }) => instance),
    until: (wanted: (candidates: readonly Candidate[]) => boolean) =>
      new Promise<readonly Candidate[]>((resolve) => {
        const check = () => {
          if (wanted(candidates)) resolve(candidates)
        }
        waiting.add(check)
        check()
      }),
  }
}
const has =
  (...instances: (string | null)[]) =>
  (candidates: readonly Candidate[]) =>
    JSON.stringify(candidates.map(({ instance }) => instance)) === JSON.stringify(instances)

describe.each([
  { name: 'mDNS on loopback', createLan: () => ({ startMembership }), isReal: true },
  { name: 'the fake LAN', createLan: createFakeLan, isReal: false },
])('membership through $name', ({ createLan, isReal }) => {
  const agent = (id: string, port = 7412) => ({ announce: { role: 'agent', id, port } as const, browse: ['gateway'] as const })
  const gateway = (id: string) => ({ announce: { role: 'gateway', id, port: 7411 } as const, browse: ['agent'] as const })

  it('lets agents and gateways find each other, and none itself or its like', async ({ skip }) => {
    if (isReal) skip(obstacle !== null, obstacle ?? undefined)
    const lan = createLan()
    const first = await join(lan.startMembership, agent('a1', 1))
    const second = await join(lan.startMembership, agent('a2', 2))
    const hub = await join(lan.startMembership, gateway('g1'))
    const candidates = await hub.until(has('a1', 'a2'))
    expect(candidates.map(({ role, source, addresses: [address] }) => ({ role, source, address }))).toEqual([
      { role: 'agent', source: 'mdns', address: '127.0.0.1:1' },
      { role: 'agent', source: 'mdns', address: '127.0.0.1:2' },
    ])
    await first.until(has('g1'))
    await second.until(has('g1'))
    expect(first.membership.candidates).toMatchObject([{ role: 'gateway', instance: 'g1' }])
    expect(first.membership.multicast.kind).toBe('available')
  })

  it('takes a member back when it leaves, and only that one', async ({ skip }) => {
    if (isReal) skip(obstacle !== null, obstacle ?? undefined)
    const lan = createLan()
    const hub = await join(lan.startMembership, { browse: ['agent'] })
    const first = await join(lan.startMembership, agent('a1', 1))
    await join(lan.startMembership, agent('a2', 2))
    await hub.until(has('a1', 'a2'))
    await first.membership[Symbol.asyncDispose]()
    await hub.until(has('a2'))
    await first.membership[Symbol.asyncDispose]()
  })

  it('warns of one id announced by two processes, and keeps both addresses until one leaves', async ({ skip }) => {
    if (isReal) skip(obstacle !== null, obstacle ?? undefined)
    const lan = createLan()
    const hub = await join(lan.startMembership, { browse: ['agent'] })
    await join(lan.startMembership, agent('twin', 1))
    const copy = await join(lan.startMembership, agent('twin', 2))
    const addresses = (ports: readonly number[]) => (candidates: readonly Candidate[]) =>
      JSON.stringify(candidates[0]?.addresses.filter((address) => address.startsWith('127'))) ===
      JSON.stringify(ports.map((port) => `127.0.0.1:${port}`))
    await hub.until(addresses([1, 2]))
    expect(hub.log.entries.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { role: 'agent', id: 'twin' } }])
    await copy.membership[Symbol.asyncDispose]()
    await hub.until(addresses([1]))
  })

  it('suggests static peers at once, with the role that is looked for', async () => {
    const lan = createLan()
    const peers = { peers: ['10.1.1.1', '[fd00::1]:9'] }
    const silent = await join(lan.startMembership, peers)
    expect(silent.membership.candidates).toEqual([
      { role: 'agent', instance: null, addresses: ['10.1.1.1:7412'], source: 'static' },
      { role: 'agent', instance: null, addresses: ['[fd00::1]:9'], source: 'static' },
    ])
    expect(silent.membership.multicast).toEqual({ kind: 'unused' })
    const looking = await join(lan.startMembership, { ...peers, browse: ['gateway'] })
    expect(looking.membership.candidates[0]?.role).toBe('gateway')
  })

  it.each([
    [{ peers: ['http://x'] }, 'is a URL'],
    [{ announce: { role: 'agent', id: 'no spaces', port: 1 } }, 'The id "no spaces"'],
    [{ announce: { role: 'agent', id: 'a', port: 0 } }, 'The port 0'],
  ] as const)('refuses %o', async (options, why) => {
    const lan = createLan()
    await expect(join(lan.startMembership, options)).rejects.toThrow(why)
  })
})

describe('membership without usable multicast', () => {
  it('works for static peers and says why nothing else will be found', async () => {
    const wireguard = { ...lo('10.8.0.2'), name: 'wg0', internal: false }
    const lonely = await join(startMembership, {
      browse: ['agent'],
      peers: ['10.1.1.1:9'],
      interfaces: () => [lo(), wireguard],
      transport: {},
    })
    expect(lonely.instances()).toEqual([null])
    expect(lonely.membership.multicast).toEqual({
      kind: 'unavailable',
      reason: 'No network interface can carry mDNS. Left out: lo (loopback), wg0 (tunnel).',
      remedy: 'Name the other machines with --peer HOST:PORT.',
    })
  })

  it('names the failure of a port another program holds, and speaks once it is free', async ({ skip }) => {
    skip(obstacle !== null, obstacle ?? undefined)
    const holder = createSocket({ type: 'udp4', reuseAddr: false })
    holder.bind(0, '0.0.0.0')
    await once(holder, 'listening')
    const port = (holder.address() as AddressInfo).port
    const clock = createManualClock()
    const blocked = await join(startMembership, { browse: ['agent'], clock, transport: { loopback: true, port } })
    expect(blocked.membership.multicast).toMatchObject({ kind: 'unavailable', reason: expect.stringContaining('EADDRINUSE') })
    const report = await checkMulticast({
      timeoutMs: 1,
      log: blocked.log,
      clock: realClock,
      interfaces: () => [lo()],
      transport: { loopback: true, port },
    })
    expect(report).toMatchObject({
      works: false,
      interfaces: [{ outcome: 'failed', remedy: expect.stringContaining('Another program holds') }],
    })
    holder.close()
    await once(holder, 'close')
    clock.advance(10_000)
    await join(startMembership, { announce: { role: 'agent', id: 'late', port: 1 }, transport: { loopback: true, port } })
    await blocked.until(has('late'))
    expect(blocked.membership.multicast.kind).toBe('available')
  })

  it('reports a machine without any network', async () => {
    const report = await checkMulticast({ timeoutMs: 1, log: createFakeLog(), clock: realClock, interfaces: () => [] })
    expect(report).toMatchObject({
      works: false,
      interfaces: [],
      reason: expect.stringContaining('none with an IPv4 address'),
      remedy: expect.stringContaining('--peer'),
    })
  })
})

describe('a membership that is disposed', () => {
  it('leaves no socket and no timer behind, however often', async ({ skip }) => {
    skip(obstacle !== null, obstacle ?? undefined)
    const held = () => process.getActiveResourcesInfo().filter((kind) => kind === 'UDPWrap' || kind === 'Timeout').length
    const before = held()
    for (let round = 0; round < 20; round++) {
      const { membership } = await join(startMembership, { announce: { role: 'agent', id: 'a1', port: 1 }, browse: ['gateway'] })
      expect(held()).toBeGreaterThan(before)
      await membership[Symbol.asyncDispose]()
    }
    // A closed handle is listed until the event loop has turned.
    await vi.waitFor(() => expect(held()).toBeLessThanOrEqual(before))
  })
})

describe('an interface that changes', () => {
  it.skipIf(process.platform !== 'linux')('is announced anew, and listeners drop the address it had', async ({ skip }) => {
    skip(obstacle !== null, obstacle ?? undefined)
    const clock = createManualClock()
    let address = '127.0.0.2'
    const hub = await join(startMembership, { browse: ['agent'] })
    const senders = (candidates: readonly Candidate[]) => candidates[0]?.addresses.filter((text) => text.startsWith('127')).join()
    await join(startMembership, { announce: { role: 'agent', id: 'roams', port: 1 }, interfaces: () => [lo(address)], clock })
    await hub.until((candidates) => senders(candidates) === '127.0.0.2:1')
    address = '127.0.0.3'
    clock.advance(10_000)
    await hub.until((candidates) => senders(candidates) === '127.0.0.3:1')
    expect(hub.log.entries.filter(({ level }) => level === 'warn')).toEqual([])
  })
})
