import { randomBytes } from 'node:crypto'
import type { Clock, Log } from '@shoal/core'
import {
  announcementKey,
  checkSelf,
  describeService,
  type HeardService,
  type MemberRole,
  parseAnnouncement,
  type SelfAnnouncement,
  serviceTypes,
} from './announcement.ts'
import { chooseInterfaces, type InterfaceAddress, type InterfaceChoice, interfaceKey, readInterfaces } from './interfaces.ts'
import { createLinkSet, describeSkipped, type MulticastStatus } from './link-set.ts'
import { mdnsPort, openMdnsLink } from './mdns-link.ts'
import { type Candidate, initialState, type MembershipEffect, type MembershipEvent, step } from './member-table.ts'
import { parsePeer, peerRemedy } from './peer.ts'

export interface MembershipOptions {
  /** Null = listen only. */
  readonly announce: SelfAnnouncement | null
  /** Roles to look for. With nothing to announce and nothing to look for, no socket is opened. */
  readonly browse: readonly MemberRole[]
  /** `host`, `host:port`, `[ipv6]:port`: suggested from the start, whatever mDNS says. Their role is `agent` unless only gateways are browsed. */
  readonly peers: readonly string[]
  /** Port of peers that name none. */
  readonly peerPort: number
  readonly interfaces?: () => readonly InterfaceAddress[]
  readonly log: Log
  readonly clock: Clock
  /** Called with the whole list after every change; the first call may come before `startMembership` resolves. */
  readonly onChange: (candidates: readonly Candidate[]) => void
  /** For tests on one machine: speak on loopback too, on a port of their own. */
  readonly transport?: { readonly loopback?: boolean; readonly port?: number }
}

/** Who may be here. Disposing it says goodbye, then closes everything within about a second. */
export interface Membership extends AsyncDisposable {
  readonly candidates: readonly Candidate[]
  /** After disposal: what it was at the end. */
  readonly multicast: MulticastStatus
}

const scanEveryMs = 10_000
const noChoice: InterfaceChoice = { used: [], skipped: [], onlyVirtual: false }

/** Announces this process and collects candidates. Resolves when every socket is bound or has failed. Rejects with USAGE on a bad peer, id or port. */
export async function startMembership(options: MembershipOptions): Promise<Membership> {
  const { browse, clock, log, onChange } = options
  const announce = options.announce === null ? null : checkSelf(options.announce)
  const peers = options.peers.map((peer) => parsePeer(peer, options.peerPort))
  const incarnation = randomBytes(4).toString('hex')
  let state = initialState({
    self: announce === null ? null : { role: announce.role, id: announce.id, incarnation },
    peerRole: browse.length === 1 && browse[0] === 'gateway' ? 'gateway' : 'agent',
  })
  let choice = noChoice
  let stopped: { readonly multicast: MulticastStatus } | null = null
  let cancelScan = () => {}

  const handle = (event: MembershipEvent) => {
    if (stopped !== null) return
    const next = step(state, event)
    state = next.state
    for (const effect of next.effects) act(effect)
  }
  const links = createLinkSet((link, generation) =>
    openMdnsLink({
      link,
      publish: announce === null ? null : describeService({ self: announce, incarnation, generation, address: link.address }),
      browse: browse.map((role) => serviceTypes[role]),
      clock,
      log,
      port: options.transport?.port ?? mdnsPort,
      onFound: (service) => found(link, service),
      onLost: (_type, fqdn) => handle({ kind: 'lost', key: announcementKey(interfaceKey(link), fqdn) }),
    }),
  )
  const found = (link: InterfaceAddress, service: HeardService) => {
    const virtual = choice.skipped.filter(({ reason }) => reason === 'virtual').map((entry) => entry.interface)
    const announcement = parseAnnouncement(service, link, virtual)
    if (announcement !== null) handle({ kind: 'found', announcement, atMs: clock.nowMs() })
  }
  const act = (effect: MembershipEffect) => {
    switch (effect.kind) {
      case 'changed':
        return onChange(effect.candidates)
      case 'warn':
        return log.warn(effect.fields, effect.message)
      case 'reopen':
        log.debug({ used: effect.interfaces.map(({ name }) => name), skipped: describeSkipped(choice) }, 'mDNS interfaces')
        return links.reopen(effect.interfaces, effect.generation)
    }
  }
  const scan = () => {
    const before = choice
    choice = chooseInterfaces((options.interfaces ?? readInterfaces)(), { loopback: options.transport?.loopback === true })
    if (choice.onlyVirtual && !before.onlyVirtual) warnOnlyVirtual(choice, log)
    handle({ kind: 'interfacesChanged', interfaces: choice.used })
    links.retry((link, failure) => log.debug({ interface: link.name, failure }, 'mDNS link failed; opening it again'))
    handle({ kind: 'aged', atMs: clock.nowMs() })
    cancelScan = clock.after(scanEveryMs, scan)
  }

  for (const peer of peers) handle({ kind: 'peerAdded', peer })
  const isUsed = announce !== null || browse.length > 0
  const multicast = (): MulticastStatus => (isUsed ? links.status(choice) : { kind: 'unused' })
  if (isUsed) scan()
  await links.ready()
  return {
    get candidates() {
      return state.candidates
    },
    get multicast() {
      return stopped === null ? multicast() : stopped.multicast
    },
    async [Symbol.asyncDispose]() {
      stopped ??= { multicast: multicast() }
      cancelScan()
      await links.close()
    },
  }
}

function warnOnlyVirtual(choice: InterfaceChoice, log: Log): void {
  const interfaces = choice.used.map(({ name }) => name)
  log.warn({ interfaces }, `Only virtual interfaces are up (${interfaces.join(', ')}); mDNS speaks on them. ${peerRemedy}`)
}
