import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Announcement } from './announcement.ts'
import type { InterfaceAddress } from './interfaces.ts'
import {
  announcementAgeMaxMs,
  announcementsPerSenderMax,
  candidatesMax,
  initialState,
  type MembershipEffect,
  type MembershipEvent,
  type MembershipState,
  step,
} from './member-table.ts'

const start = initialState({ self: { role: 'gateway', id: 'self', incarnation: '00000000' }, peerRole: 'agent' })

const announcement = (overrides: Partial<Announcement> = {}): Announcement => {
  const { id = 'n1', sender = '10.0.0.1', port = 7412, via = 'eth0' } = overrides
  const base = { role: 'agent' as const, incarnation: 'aaaaaaaa', generation: 1, addresses: [sender] }
  return { key: `${via} ${id}-${sender}-${port}`, id, sender, port, via, ...base, ...overrides }
}
const found = (overrides: Partial<Announcement> = {}, atMs = 0): MembershipEvent => ({
  kind: 'found',
  announcement: announcement(overrides),
  atMs,
})
const lost = (overrides: Partial<Announcement> = {}): MembershipEvent => ({ kind: 'lost', key: announcement(overrides).key })

function play(events: readonly MembershipEvent[], from: MembershipState = start) {
  let state = from
  const effects: MembershipEffect[] = []
  for (const event of events) {
    const next = step(state, event)
    state = next.state
    effects.push(...next.effects)
  }
  return { state, effects, warnings: effects.flatMap((effect) => (effect.kind === 'warn' ? [effect.message] : [])) }
}
const addresses = (events: readonly MembershipEvent[]) => play(events).state.candidates.map((candidate) => candidate.addresses)

describe('candidates', () => {
  it('come with an announcement and go with its goodbye', () => {
    const { state, effects } = play([found()])
    expect(state.candidates).toEqual([{ role: 'agent', instance: 'n1', addresses: ['10.0.0.1:7412'], source: 'mdns' }])
    expect(effects).toEqual([{ kind: 'changed', candidates: state.candidates }])
    expect(play([lost()], state)).toMatchObject({ state: { candidates: [] }, effects: [{ kind: 'changed', candidates: [] }] })
  })

  it('are reported once, however often the same is heard', () => {
    expect(play([found(), found({}, 5), found({}, 9)]).effects).toHaveLength(1)
  })

  it('do not contain this process', () => {
    expect(play([found({ incarnation: '00000000', role: 'gateway', id: 'self' })])).toMatchObject({
      effects: [],
      state: { candidates: [] },
    })
  })

  it('are one for two interfaces of one machine, every sender before other addresses', () => {
    const both = ['10.0.0.1', '10.0.1.1']
    const events = [
      found({ sender: '10.0.0.1', addresses: ['10.0.0.1', '10.9.9.9'] }),
      found({ sender: '10.0.1.1', via: 'eth1', addresses: ['10.0.1.1', '10.0.0.1'] }),
    ]
    expect(addresses(events)).toEqual([['10.0.0.1:7412', '10.0.1.1:7412', '10.9.9.9:7412']])
    expect(
      play([found({ sender: '10.0.0.1', addresses: both }), found({ sender: '10.0.1.1', via: 'eth1', addresses: both })]).warnings,
    ).toEqual([])
  })

  it('of two machines with one id keep both addresses, and the person is told once', () => {
    const copy = { sender: '10.0.0.2', incarnation: 'bbbbbbbb' }
    const { state, warnings } = play([found(), found(copy), found(), found(copy)])
    expect(state.candidates).toHaveLength(1)
    expect(state.candidates[0]?.addresses).toEqual(['10.0.0.1:7412', '10.0.0.2:7412'])
    expect(warnings).toEqual([expect.stringContaining('agent id n1 is announced twice: by 10.0.0.1, 10.0.0.2')])
    expect(play([lost(copy)], state).state.candidates[0]?.addresses).toEqual(['10.0.0.1:7412'])
  })

  it('with the id of this machine are kept, and the person is told', () => {
    const { state, warnings } = play([found({ role: 'gateway', id: 'self', sender: '10.0.0.9' })])
    expect(state.candidates).toHaveLength(1)
    expect(warnings).toEqual([expect.stringContaining('this machine and 10.0.0.9')])
  })

  it('of a restarted machine replace its earlier ones without a warning, whichever interface speaks first', () => {
    const both = ['10.0.0.1', '10.0.1.1']
    const before = [found({ sender: '10.0.0.1', addresses: both }), found({ sender: '10.0.1.1', via: 'eth1', addresses: both })]
    const after = [found({ sender: '10.0.1.1', via: 'eth1', addresses: both, incarnation: 'bbbbbbbb' })]
    const { state, warnings } = play([...before, ...after])
    expect(warnings).toEqual([])
    expect([...state.heard.values()].map((entry) => entry.announcement.incarnation)).toEqual(['bbbbbbbb'])
  })

  it('of a machine that changed its address lose the old one', () => {
    expect(addresses([found(), found({ sender: '10.0.0.7', generation: 2 })])).toEqual([['10.0.0.7:7412']])
  })

  it('of a machine that got a second address keep both', () => {
    const later = found({ sender: '10.0.0.7', generation: 2, addresses: ['10.0.0.7', '10.0.0.1'] })
    expect(addresses([found(), later])).toEqual([['10.0.0.1:7412', '10.0.0.7:7412']])
  })

  it('named by a person stay first whatever mDNS says, and are named once', () => {
    const peer = { kind: 'peerAdded', peer: { host: 'fd00::2', port: 1 } } as const
    const { state } = play([found(), peer, peer, lost(), { kind: 'aged', atMs: 1e12 }])
    expect(state.candidates).toEqual([{ role: 'agent', instance: null, addresses: ['[fd00::2]:1'], source: 'static' }])
  })

  it('that were not heard for 75 minutes go', () => {
    const events = [found({}, 0), found({ id: 'n2', sender: '10.0.0.2' }, 1_000)]
    const aged = (atMs: number) => play([...events, { kind: 'aged', atMs }]).state.candidates.map(({ instance }) => instance)
    expect(aged(announcementAgeMaxMs)).toEqual(['n1', 'n2'])
    expect(aged(announcementAgeMaxMs + 1)).toEqual(['n2'])
  })
})

describe('a flood', () => {
  it('of one sender fills its share and leaves room for others', () => {
    const flood = Array.from({ length: 1_000 }, (_, index) => found({ id: `f${index}`, incarnation: 'ffffffff' }))
    const { state, warnings } = play([...flood, found({ id: 'late', sender: '10.0.0.2' })])
    expect(state.candidates).toHaveLength(announcementsPerSenderMax + 1)
    expect(warnings).toHaveLength(1)
  })

  it('of forged senders stops at the bound, and what was known before stays', () => {
    const flood = Array.from({ length: 2_000 }, (_, index) => found({ id: `f${index}`, sender: `10.1.${index >> 8}.${index & 255}` }))
    const { state, warnings } = play([found(), ...flood])
    expect(state.candidates).toHaveLength(candidatesMax)
    expect(state.candidates.map(({ instance }) => instance)).toContain('n1')
    expect(warnings).toEqual([expect.stringContaining('--peer')])
  })

  it('of duplicate ids warns a bounded number of times', () => {
    const flood = Array.from({ length: 120 }, (_, index) => [
      found({ id: `f${index}`, sender: `10.1.0.${index}` }),
      found({ id: `f${index}`, sender: `10.2.0.${index}`, incarnation: 'bbbbbbbb' }),
    ])
    expect(play(flood.flat()).warnings).toHaveLength(64)
  })
})

describe('interfaces', () => {
  const eth = (address: string): InterfaceAddress => ({
    name: 'eth0',
    address,
    netmask: '255.255.255.0',
    family: 'IPv4',
    mac: '02:00:00:00:00:01',
    internal: false,
  })
  const changed = (...interfaces: InterfaceAddress[]): MembershipEvent => ({ kind: 'interfacesChanged', interfaces })

  it('are opened when they change, each time as a new generation', () => {
    const [one, two] = [eth('10.0.0.1'), eth('10.0.0.2')]
    expect(play([changed(one), changed(one), changed(two)]).effects).toEqual([
      { kind: 'reopen', interfaces: [one], generation: 1 },
      { kind: 'reopen', interfaces: [two], generation: 2 },
    ])
  })

  it('that went take what was heard on them along', () => {
    const one = eth('10.0.0.1')
    const via = 'eth0/10.0.0.1/255.255.255.0'
    const { state } = play([changed(one), found({ via })])
    expect(state.candidates).toHaveLength(1)
    expect(play([changed(eth('10.0.0.2'))], state).state.candidates).toEqual([])
    expect(play([changed(eth('10.0.0.2'), one)], state).state.candidates).toHaveLength(1)
  })
})

describe('any history', () => {
  const anyAnnouncement = fc
    .record({
      role: fc.constantFrom('agent' as const, 'gateway' as const),
      id: fc.constantFrom('a', 'b', 'c', 'self'),
      incarnation: fc.constantFrom('00000000', '11111111', '22222222'),
      generation: fc.integer({ min: 1, max: 3 }),
      sender: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
      via: fc.constantFrom('eth0', 'eth1'),
      others: fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.3']),
    })
    .map(({ others, ...facts }) => announcement({ ...facts, addresses: [...new Set([facts.sender, ...others])] }))
  const anyEvent = fc.oneof(
    fc.record({ kind: fc.constant('found' as const), announcement: anyAnnouncement, atMs: fc.nat(1e7) }),
    anyAnnouncement.map(({ key }) => ({ kind: 'lost' as const, key })),
    fc.record({ kind: fc.constant('aged' as const), atMs: fc.nat(1e7) }),
    fc.record({ kind: fc.constant('peerAdded' as const), peer: fc.record({ host: fc.constantFrom('x', 'y'), port: fc.constant(1) }) }),
  )
  const history = fc.array(anyEvent, { maxLength: 60 })

  it('leaves one candidate per role and id, each with distinct addresses, and a change is always told', () => {
    fc.assert(
      fc.property(history, (events) => {
        let state = start
        let told: unknown = []
        for (const event of events) {
          const next = step(state, event)
          for (const effect of next.effects) if (effect.kind === 'changed') told = effect.candidates
          state = next.state
          expect(state.candidates).toEqual(told)
        }
        const names = state.candidates.map(({ role, instance, addresses: [first] }) => `${role} ${instance ?? first}`)
        expect(new Set(names).size).toBe(names.length)
        for (const candidate of state.candidates) {
          expect(candidate.addresses.length).toBeGreaterThan(0)
          expect(new Set(candidate.addresses).size).toBe(candidate.addresses.length)
        }
      }),
    )
  })

  it('ends with nothing announced once every announcement was taken back', () => {
    fc.assert(
      fc.property(history, (events) => {
        const { state } = play(events)
        const goodbyes = [...state.heard.keys()].map((key): MembershipEvent => ({ kind: 'lost', key }))
        expect(play(goodbyes, state).state.candidates.filter(({ source }) => source === 'mdns')).toEqual([])
      }),
    )
  })

  it('does not lose a machine to another one: a goodbye takes back one announcement only', () => {
    fc.assert(
      fc.property(history, anyAnnouncement, (events, other) => {
        const { state } = play(events)
        const after = play([{ kind: 'lost', key: other.key }], state).state
        expect([...after.heard.keys()]).toEqual([...state.heard.keys()].filter((key) => key !== other.key))
      }),
    )
  })
})
