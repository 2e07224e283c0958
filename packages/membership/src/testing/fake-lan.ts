import { announcementKey, checkSelf, describeService, parseAnnouncement, type ServiceRecord, serviceTypes } from '../announcement.ts'
import { type InterfaceAddress, interfaceKey } from '../interfaces.ts'
import { initialState, type MembershipEvent, step } from '../member-table.ts'
import type { Membership, MembershipOptions } from '../membership.ts'
import { parsePeer } from '../peer.ts'

/** A LAN in memory. Whoever joins is found by the others at once, at `127.0.0.1` and the port announced; at most 32 of them announce. */
export interface FakeLan {
  /** Takes the place of the real `startMembership`; `interfaces` and `transport` mean nothing here. */
  startMembership(options: MembershipOptions): Promise<Membership>
}

interface Member {
  readonly record: ServiceRecord | null
  hear(record: ServiceRecord): void
  hearGoodbye(record: ServiceRecord): void
}

const loopback: InterfaceAddress = {
  name: 'lo',
  address: '127.0.0.1',
  netmask: '255.0.0.0',
  family: 'IPv4',
  mac: '00:00:00:00:00:00',
  internal: true,
}

export function createFakeLan(): FakeLan {
  const members = new Set<Member>()
  let started = 0
  return {
    startMembership: async ({ announce, browse, peers, peerPort, log, clock, onChange }) => {
      const self = announce === null ? null : checkSelf(announce)
      const named = peers.map((peer) => parsePeer(peer, peerPort))
      const incarnation = (++started).toString(16).padStart(8, '0')
      let state = initialState({
        self: self === null ? null : { role: self.role, id: self.id, incarnation },
        peerRole: browse.length === 1 && browse[0] === 'gateway' ? 'gateway' : 'agent',
      })
      const handle = (event: MembershipEvent) => {
        const next = step(state, event)
        state = next.state
        for (const effect of next.effects) {
          if (effect.kind === 'changed') onChange(effect.candidates)
          if (effect.kind === 'warn') log.warn(effect.fields, effect.message)
        }
      }
      const fqdn = (record: ServiceRecord) => `${record.name}._${record.type}._tcp.local`
      const looksFor = (record: ServiceRecord) => browse.some((role) => serviceTypes[role] === record.type)
      const member: Member = {
        record: self === null ? null : describeService({ self, incarnation, generation: 1, address: loopback.address }),
        hear(record) {
          const heard = { ...record, fqdn: fqdn(record), addresses: [], sender: loopback.address }
          const announcement = looksFor(record) ? parseAnnouncement(heard, loopback, []) : null
          if (announcement !== null) handle({ kind: 'found', announcement, atMs: clock.nowMs() })
        },
        hearGoodbye: (record) => handle({ kind: 'lost', key: announcementKey(interfaceKey(loopback), fqdn(record)) }),
      }
      for (const peer of named) handle({ kind: 'peerAdded', peer })
      for (const other of members) {
        if (other.record !== null) member.hear(other.record)
        if (member.record !== null) other.hear(member.record)
      }
      members.add(member)
      const unused = self === null && browse.length === 0
      return {
        get candidates() {
          return state.candidates
        },
        multicast: unused ? { kind: 'unused' } : { kind: 'available', interfaces: [{ name: loopback.name, address: loopback.address }] },
        async [Symbol.asyncDispose]() {
          if (!members.delete(member) || member.record === null) return
          for (const other of members) other.hearGoodbye(member.record)
        },
      }
    },
  }
}
