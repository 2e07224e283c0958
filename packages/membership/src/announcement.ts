import { isIPv4, isIPv6 } from 'node:net'
import { ShoalError } from '@shoal/core'
import { type InterfaceAddress, interfaceKey, isOnLink } from './interfaces.ts'
import { formatPeer } from './peer.ts'

export type MemberRole = 'agent' | 'gateway'

/** DNS-SD service types: `_shoal._tcp` and `_shoal-gw._tcp`. */
export const serviceTypes: Readonly<Record<MemberRole, string>> = { agent: 'shoal', gateway: 'shoal-gw' }

/** What this process says of itself. */
export interface SelfAnnouncement {
  readonly role: MemberRole
  /** Node id or gateway id: letters, digits, `-` and `_`, at most 40. */
  readonly id: string
  /** TCP port of its gRPC server. */
  readonly port: number
}

/** One service as it is published on one interface. */
export interface ServiceRecord {
  readonly type: string
  /** Instance name: one DNS label, at most 63 bytes. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly txt: Readonly<Record<string, string>>
}

/** One service as it was heard, unchecked. */
export interface HeardService {
  readonly type: string
  readonly fqdn: string
  readonly host: string
  readonly port: number
  readonly txt: Readonly<Record<string, string | undefined>>
  readonly addresses: readonly string[]
  /** Source address of the packet. */
  readonly sender: string
}

/** One checked announcement. It is a hint: nothing in it is proven. */
export interface Announcement {
  /** Instance and interface: what a goodbye takes back. */
  readonly key: string
  readonly role: MemberRole
  readonly id: string
  /** Random per start of the announcing process. */
  readonly incarnation: string
  /** Counts that process's changes of address. */
  readonly generation: number
  /** Interface it was heard on. */
  readonly via: string
  readonly sender: string
  readonly port: number
  /** IP addresses, best first: the sender, then what else the machine says it has. */
  readonly addresses: readonly string[]
}

const idPattern = /^[A-Za-z0-9_-]{1,40}$/
const hostPattern = /^shoal-([0-9a-f]{8})-(\d{1,5})-[0-9-]+\.local$/
const textVersion = '1'
/** Of `proto/shoal/v1`. */
const protocolVersion = '1'
const addressesMax = 8
/** DNS-SD (RFC 6763, section 6): keys of at most 9 characters, one string at most 255 bytes; a text record beyond 400 bytes risks a second packet. */
const textLimits = { keyCharacters: 9, stringBytes: 255, wholeBytes: 400 }

/** Throws USAGE when the id or port cannot be announced. */
export function checkSelf(self: SelfAnnouncement): SelfAnnouncement {
  if (!idPattern.test(self.id))
    throw unusable(`The id "${self.id.slice(0, 80)}" has characters other than letters, digits, - and _, or more than 40.`)
  if (!Number.isInteger(self.port) || self.port < 1 || self.port > 65_535)
    throw unusable(`The port ${self.port} is not one from 1 to 65535.`)
  return self
}

export interface DescribeServiceOptions {
  readonly self: SelfAnnouncement
  readonly incarnation: string
  readonly generation: number
  readonly address: string
}

/**
 * Names are unique per id, address and port, so that a goodbye of one machine never takes back another's announcement, and a restart replaces
 * its own. The host name is unique per start and change of address, so that listeners notice either.
 */
export function describeService({ self, incarnation, generation, address }: DescribeServiceOptions): ServiceRecord {
  const dashed = address.replaceAll('.', '-')
  const txt = { txtvers: textVersion, id: self.id, proto: protocolVersion, role: self.role }
  return {
    type: serviceTypes[self.role],
    name: `${self.id}-${dashed}-${self.port}`,
    host: `shoal-${incarnation}-${generation}-${dashed}.local`,
    port: self.port,
    txt: checkText(txt),
  }
}

/** The library sends oversized text records silently; this refuses them. */
export function checkText(txt: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const lengths = Object.entries(txt).map(([key, value]) => ({ key, bytes: new TextEncoder().encode(`${key}=${value}`).length }))
  for (const { key, bytes } of lengths) {
    if (!/^[a-z]+$/.test(key) || key.length > textLimits.keyCharacters) throw unusable(`The text key "${key}" is not 1 to 9 small letters.`)
    if (bytes > textLimits.stringBytes) throw unusable(`The text entry "${key}" has ${bytes} bytes; at most ${textLimits.stringBytes} fit.`)
  }
  const whole = lengths.reduce((sum, { bytes }) => sum + bytes + 1, 0)
  if (whole > textLimits.wholeBytes) throw unusable(`The text record has ${whole} bytes; at most ${textLimits.wholeBytes} are sent.`)
  return txt
}

/** Null when the service is not one this version could have announced. Never throws. */
export function parseAnnouncement(
  service: HeardService,
  link: InterfaceAddress,
  skipped: readonly InterfaceAddress[],
): Announcement | null {
  const role = service.type === serviceTypes.agent ? 'agent' : service.type === serviceTypes.gateway ? 'gateway' : null
  const host = hostPattern.exec(service.host)
  const id = service.txt.id
  if (role === null || host === null || service.txt.txtvers !== textVersion || id === undefined || !idPattern.test(id)) return null
  if (!Number.isInteger(service.port) || service.port < 1 || service.port > 65_535 || !isIPv4(service.sender)) return null
  const via = interfaceKey(link)
  return {
    key: announcementKey(via, service.fqdn),
    role,
    id,
    incarnation: host[1] ?? '',
    generation: Number(host[2]),
    via,
    sender: service.sender,
    port: service.port,
    addresses: orderAddresses({ sender: service.sender, claimed: service.addresses, link, skipped }),
  }
}

export const announcementKey = (via: string, fqdn: string): string => `${via} ${fqdn.toLowerCase()}`

interface OrderAddressesOptions {
  readonly sender: string
  readonly claimed: readonly string[]
  readonly link: InterfaceAddress
  readonly skipped: readonly InterfaceAddress[]
}

/**
 * The sender first: a packet came from there. Then claimed addresses of the same subnet, then others. Left out: what reaches only its own
 * machine or link, and what would lead into a network this machine skips (every machine's docker0 has the same address).
 */
function orderAddresses({ sender, claimed, link, skipped }: OrderAddressesOptions): readonly string[] {
  const usable = claimed.filter((address) => isRoutable(address) && !skipped.some((other) => isOnLink(other, address)))
  const near = usable.filter((address) => isOnLink(link, address))
  return [...new Set([sender, ...near, ...usable])].slice(0, addressesMax)
}

function isRoutable(address: string): boolean {
  if (isIPv4(address)) return !/^(0|127|169\.254|22[4-9]|23\d|24\d|25[0-5])\./.test(address)
  return isIPv6(address) && !/^(fe[89ab]|ff|::1?$|::ffff:)/i.test(address)
}

/** `host:port` of every address of an announcement. */
export const announcedPeers = (announcement: Announcement): readonly string[] =>
  announcement.addresses.map((host) => formatPeer({ host, port: announcement.port }))

function unusable(message: string): ShoalError {
  return new ShoalError({ code: 'USAGE', message, remedy: 'Start without mDNS, or correct the value.' })
}
