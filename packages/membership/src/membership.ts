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
import { type MdnsLink, openMdnsLink } from './mdns-link.ts'
import { type Candidate, initialState, type MembershipEffect, type MembershipEvent, step } from './member-table.ts'
import { parsePeer } from './peer.ts'

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

/**
 * - unused: nothing to announce and nothing to look for
 * - available: at least one interface speaks mDNS
 * - unavailable: only static peers can be found; `reason` and `remedy` are for people
 */
export type MulticastStatus =
  | { readonly kind: 'unused' }
  | { readonly kind: 'available'; readonly interfaces: readonly { readonly name: string; readonly address: string }[] }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly remedy: string }

/** Who may be here. Disposing it says goodbye, then closes everything within about a second. */
export interface Membership extends AsyncDisposable {
  readonly candidates: readonly Candidate[]
  readonly multicast: MulticastStatus
}

const scanEveryMs = 10_000
export const mdnsPort = 5353
export const peerRemedy = 'Name the other machines with --peer HOST:PORT.'

/** Announces this process and collects candidates. Resolves when every socket is bound or has failed. Rejects with USAGE on a bad peer, id or port. */
export async function startMembership(options: MembershipOptions): Promise<Membership> {
  const { browse, clock, log, onChange } = options
  const announce = options.announce === null ? null : checkSelf(options.announce)
  const peers = options.peers.map((peer) => parsePeer(peer, options.peerPort))
  const usesMulticast = announce !== null || browse.length > 0
  const incarnation = randomBytes(4).toString('hex')
  let state = initialState({
    self: announce === null ? null : { role: announce.role, id: announce.id, incarnation },
    peerRole: browse.length === 1 && browse[0] === 'gateway' ? 'gateway' : 'agent',
  })
  let choice: InterfaceChoice = { used: [], skipped: [], onlyVirtual: false }
  const links = new Map<string, { readonly link: MdnsLink; readonly interface: InterfaceAddress }>()
  const closing = new Set<Promise<void>>()
  let cancelScan = () => {}
  let closed = false
  const status = (): MulticastStatus => (usesMulticast ? describeMulticast(choice, [...links.values()]) : { kind: 'unused' })
  let lastStatus: MulticastStatus = { kind: 'unused' }

  const close = (key: string, link: MdnsLink, goodbye: boolean) => {
    links.delete(key)
    const done = link.close({ goodbye }).finally(() => closing.delete(done))
    closing.add(done)
  }
  const found = (link: InterfaceAddress, service: HeardService) => {
    const virtual = choice.skipped.filter(({ reason }) => reason === 'virtual').map((entry) => entry.interface)
    const announcement = parseAnnouncement(service, link, virtual)
    if (announcement !== null) handle({ kind: 'found', announcement, atMs: clock.nowMs() })
  }
  const open = (link: InterfaceAddress, generation: number) => {
    const key = interfaceKey(link)
    const opened = openMdnsLink({
      link,
      publish: announce === null ? null : describeService({ self: announce, incarnation, generation, address: link.address }),
      browse: browse.map((role) => serviceTypes[role]),
      clock,
      log,
      port: options.transport?.port ?? mdnsPort,
      onFound: (service) => found(link, service),
      onLost: (_type, fqdn) => handle({ kind: 'lost', key: announcementKey(key, fqdn) }),
    })
    links.set(key, { link: opened, interface: link })
  }
  const act = (effect: MembershipEffect) => {
    switch (effect.kind) {
      case 'changed':
        return onChange(effect.candidates)
      case 'warn':
        return log.warn(effect.fields, effect.message)
      case 'reopen':
        for (const [key, { link }] of links) close(key, link, false)
        log.debug({ used: effect.interfaces.map(({ name }) => name), skipped: describeSkipped(choice) }, 'mDNS interfaces')
        for (const link of effect.interfaces) open(link, effect.generation)
        return
    }
  }
  const handle = (event: MembershipEvent) => {
    if (closed) return
    const next = step(state, event)
    state = next.state
    for (const effect of next.effects) act(effect)
  }
  const scan = () => {
    const all = (options.interfaces ?? readInterfaces)()
    const before = choice
    choice = chooseInterfaces(all, { loopback: options.transport?.loopback === true })
    if (choice.onlyVirtual && !before.onlyVirtual) {
      const names = choice.used.map((link) => link.name)
      log.warn({ interfaces: names }, `Only virtual interfaces are up (${names.join(', ')}); mDNS speaks on them. ${peerRemedy}`)
    }
    handle({ kind: 'interfacesChanged', interfaces: choice.used })
    for (const [key, entry] of [...links]) {
      if (entry.link.failure === null) continue
      log.debug({ interface: entry.interface.name, error: entry.link.failure }, 'mDNS link failed; opening it again')
      close(key, entry.link, false)
      open(entry.interface, state.generation)
    }
    handle({ kind: 'aged', atMs: clock.nowMs() })
    cancelScan = clock.after(scanEveryMs, scan)
  }

  for (const peer of peers) handle({ kind: 'peerAdded', peer })
  if (usesMulticast) {
    scan()
    await Promise.all([...links.values()].map(({ link }) => link.ready))
  }
  return {
    get candidates() {
      return state.candidates
    },
    get multicast() {
      return closed ? lastStatus : status()
    },
    async [Symbol.asyncDispose]() {
      if (!closed) lastStatus = status()
      closed = true
      cancelScan()
      for (const [key, { link }] of links) close(key, link, true)
      await Promise.all(closing)
    },
  }
}

function describeMulticast(
  choice: InterfaceChoice,
  links: readonly { readonly link: MdnsLink; readonly interface: InterfaceAddress }[],
): MulticastStatus {
  const working = links.filter(({ link }) => link.failure === null)
  if (working.length > 0) {
    return { kind: 'available', interfaces: working.map((entry) => ({ name: entry.interface.name, address: entry.interface.address })) }
  }
  const failures = links.map((entry) => `${entry.interface.name}: ${entry.link.failure}`)
  if (failures.length > 0)
    return { kind: 'unavailable', reason: `mDNS failed on every interface (${failures.join('; ')}).`, remedy: peerRemedy }
  return { kind: 'unavailable', reason: `No network interface can carry mDNS. ${describeSkipped(choice)}`, remedy: peerRemedy }
}

/** For people: what was left out and why. */
export function describeSkipped(choice: InterfaceChoice): string {
  const skipped = choice.skipped.filter(({ reason }) => reason !== 'second address')
  if (skipped.length === 0) return choice.used.length > 0 ? 'None is left out.' : 'There is none with an IPv4 address.'
  return `Left out: ${skipped.map((entry) => `${entry.interface.name} (${entry.reason})`).join(', ')}.`
}
