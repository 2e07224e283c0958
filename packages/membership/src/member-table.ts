import { type Announcement, announcedPeers, type MemberRole } from './announcement.ts'
import { type InterfaceAddress, interfaceKey } from './interfaces.ts'
import { formatPeer, type Peer } from './peer.ts'

/** A machine worth a call. Who it is and whether it lives, only the call can tell. */
export interface Candidate {
  readonly role: MemberRole
  /** The id it claims; null for a static peer. */
  readonly instance: string | null
  /** `host:port` texts, in the order to try them. */
  readonly addresses: readonly string[]
  readonly source: 'mdns' | 'static'
}

export interface HeardAnnouncement {
  readonly announcement: Announcement
  readonly heardAtMs: number
}

export interface MembershipState {
  /** Random per start of this process: what carries it is our own voice. Null = nothing is announced. */
  readonly self: { readonly role: MemberRole; readonly id: string; readonly incarnation: string } | null
  readonly peers: readonly Peer[]
  /** Role given to static peers. */
  readonly peerRole: MemberRole
  readonly interfaces: readonly InterfaceAddress[]
  /** Counts changes of `interfaces`. */
  readonly generation: number
  /** By announcement key, oldest first. */
  readonly heard: ReadonlyMap<string, HeardAnnouncement>
  readonly candidates: readonly Candidate[]
  /** What was warned about, so that it is said once. */
  readonly warned: ReadonlySet<string>
}

/**
 * - found: an announcement was heard, for the first time or again
 * - lost: a goodbye for the announcement with this key
 * - peerAdded: a person named a machine
 * - interfacesChanged: the whole new list of interfaces to speak on
 * - aged: time has passed
 */
export type MembershipEvent =
  | { readonly kind: 'found'; readonly announcement: Announcement; readonly atMs: number }
  | { readonly kind: 'lost'; readonly key: string }
  | { readonly kind: 'peerAdded'; readonly peer: Peer }
  | { readonly kind: 'interfacesChanged'; readonly interfaces: readonly InterfaceAddress[] }
  | { readonly kind: 'aged'; readonly atMs: number }

/**
 * - changed: the candidates are others than before
 * - reopen: close every link without a goodbye, then speak on these interfaces
 * - warn: say this to the person, once
 */
export type MembershipEffect =
  | { readonly kind: 'changed'; readonly candidates: readonly Candidate[] }
  | { readonly kind: 'reopen'; readonly interfaces: readonly InterfaceAddress[]; readonly generation: number }
  | { readonly kind: 'warn'; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }

export interface MembershipStep {
  readonly state: MembershipState
  readonly effects: readonly MembershipEffect[]
}

export const candidatesMax = 256
/** A machine has one or two announcements per network, a test bench some dozen; more from one address is a flood. */
export const announcementsPerSenderMax = 32
/** RFC 6762, section 10: records that are no host addresses are good for 75 minutes. */
export const announcementAgeMaxMs = 75 * 60_000
const candidateAddressesMax = 16
const warningsMax = 64

export interface InitialStateOptions {
  readonly self: MembershipState['self']
  readonly peerRole: MemberRole
}

export const initialState = ({ self, peerRole }: InitialStateOptions): MembershipState => ({
  self,
  peers: [],
  peerRole,
  interfaces: [],
  generation: 0,
  heard: new Map(),
  candidates: [],
  warned: new Set(),
})

export function step(state: MembershipState, event: MembershipEvent): MembershipStep {
  switch (event.kind) {
    case 'found':
      return found(state, event.announcement, event.atMs)
    case 'lost': {
      if (!state.heard.has(event.key)) return { state, effects: [] }
      const heard = new Map(state.heard)
      heard.delete(event.key)
      return settle({ ...state, heard })
    }
    case 'peerAdded': {
      const text = formatPeer(event.peer)
      if (state.peers.some((peer) => formatPeer(peer) === text)) return { state, effects: [] }
      return settle({ ...state, peers: [...state.peers, event.peer] })
    }
    case 'interfacesChanged':
      return interfacesChanged(state, event.interfaces)
    case 'aged': {
      const heard = new Map([...state.heard].filter(([, { heardAtMs }]) => event.atMs - heardAtMs <= announcementAgeMaxMs))
      return heard.size === state.heard.size ? { state, effects: [] } : settle({ ...state, heard })
    }
  }
}

function found(state: MembershipState, announcement: Announcement, atMs: number): MembershipStep {
  if (state.self !== null && announcement.incarnation === state.self.incarnation) return { state, effects: [] }
  const heard = new Map([...state.heard].filter(([key, old]) => key === announcement.key || !supersedes(announcement, old.announcement)))
  if (!heard.has(announcement.key)) {
    const fromSender = [...heard.values()].filter((old) => old.announcement.sender === announcement.sender).length
    if (fromSender >= announcementsPerSenderMax) {
      return warnOnce(state, `flood ${announcement.sender}`, {
        message: `More than ${announcementsPerSenderMax} announcements came from ${announcement.sender}; further ones are ignored.`,
        fields: { sender: announcement.sender },
      })
    }
    if (heard.size >= candidatesMax) {
      return warnOnce(state, 'full', {
        message: `${candidatesMax} machines are announced on this network; further ones are ignored. Name those that matter with --peer.`,
        fields: { ignored: announcement.id, sender: announcement.sender },
      })
    }
  }
  heard.set(announcement.key, { announcement, heardAtMs: atMs })
  const settled = settle({ ...state, heard })
  const warning = duplicateOf(settled.state, announcement)
  if (warning === null) return settled
  const warned = warnOnce(settled.state, `duplicate ${announcement.role} ${announcement.id}`, warning)
  return { state: warned.state, effects: [...settled.effects, ...warned.effects] }
}

/**
 * Whether `old` is the same machine at an earlier time: the same process before it changed its address, or an earlier process at an
 * address and port the newer one has now.
 */
function supersedes(newer: Announcement, old: Announcement): boolean {
  if (newer.role !== old.role || newer.id !== old.id) return false
  const stillThere = newer.addresses.includes(old.sender)
  if (newer.incarnation === old.incarnation) return newer.generation > old.generation && !stillThere
  return stillThere && newer.port === old.port
}

/** One id, two processes: a data folder was copied, or someone imitates a machine. The call's key decides; a person should know. */
function duplicateOf(state: MembershipState, announcement: Announcement): { message: string; fields: Record<string, unknown> } | null {
  const { role, id } = announcement
  const same = [...state.heard.values()].map((entry) => entry.announcement).filter((other) => other.role === role && other.id === id)
  const others = same.filter((other) => other.incarnation !== announcement.incarnation)
  const isOurs = state.self !== null && state.self.role === role && state.self.id === id
  if (others.length === 0 && !isOurs) return null
  const senders = [...new Set(same.map((other) => other.sender))].sort()
  const where = isOurs ? `this machine and ${senders.join(', ')}` : senders.join(', ')
  return {
    message: `The ${role} id ${id} is announced twice: by ${where}. If a data folder was copied, delete it on one of them to get a new id.`,
    fields: { role, id, senders, includesThisMachine: isOurs },
  }
}

function warnOnce(
  state: MembershipState,
  key: string,
  warning: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> },
): MembershipStep {
  if (state.warned.has(key) || state.warned.size >= warningsMax) return { state, effects: [] }
  return { state: { ...state, warned: new Set([...state.warned, key]) }, effects: [{ kind: 'warn', ...warning }] }
}

function interfacesChanged(state: MembershipState, interfaces: readonly InterfaceAddress[]): MembershipStep {
  const before = state.interfaces.map(interfaceKey).sort().join()
  if (before === interfaces.map(interfaceKey).sort().join()) return { state, effects: [] }
  const keys = new Set(interfaces.map(interfaceKey))
  const heard = new Map([...state.heard].filter(([, { announcement }]) => keys.has(announcement.via)))
  const generation = state.generation + 1
  const settled = settle({ ...state, interfaces, generation, heard })
  return { state: settled.state, effects: [{ kind: 'reopen', interfaces, generation }, ...settled.effects] }
}

function settle(state: MembershipState): MembershipStep {
  const candidates = listCandidates(state)
  if (JSON.stringify(candidates) === JSON.stringify(state.candidates)) return { state, effects: [] }
  return { state: { ...state, candidates }, effects: [{ kind: 'changed', candidates }] }
}

/** Static peers in the order given, then announced machines by role and id; one candidate per id, every sender before other addresses. */
function listCandidates(state: MembershipState): readonly Candidate[] {
  const byId = new Map<string, Announcement[]>()
  for (const { announcement } of state.heard.values()) {
    const key = `${announcement.role} ${announcement.id}`
    byId.set(key, [...(byId.get(key) ?? []), announcement])
  }
  const announced = [...byId]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]): readonly Candidate[] => {
      const [first] = group
      if (first === undefined) return []
      const peers = group.map(announcedPeers)
      const ordered = [...peers.flatMap((addresses) => addresses.slice(0, 1)), ...peers.flatMap((addresses) => addresses.slice(1))]
      return [{ role: first.role, instance: first.id, addresses: [...new Set(ordered)].slice(0, candidateAddressesMax), source: 'mdns' }]
    })
  const named = state.peers.map(
    (peer): Candidate => ({ role: state.peerRole, instance: null, addresses: [formatPeer(peer)], source: 'static' }),
  )
  return [...named, ...announced]
}
