import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** One address of one network interface, as the system reports it. */
export interface InterfaceAddress {
  readonly name: string
  readonly address: string
  readonly netmask: string
  readonly family: 'IPv4' | 'IPv6'
  readonly mac: string
  readonly internal: boolean
}

/** - loopback, tunnel: never carry multicast between machines; - virtual: a bridge or link of this machine's own containers and guests */
export type SkipReason = 'loopback' | 'tunnel' | 'virtual' | 'second address'

export interface SkippedInterface {
  readonly interface: InterfaceAddress
  readonly reason: SkipReason
}

export interface InterfaceChoice {
  readonly used: readonly InterfaceAddress[]
  readonly skipped: readonly SkippedInterface[]
  /** Only virtual interfaces were there, so they are used: inside a container or guest such a link may be the way out. */
  readonly onlyVirtual: boolean
}

export interface ChooseInterfacesOptions {
  /** Use loopback as well; for tests on one machine. */
  readonly loopback?: boolean
}

/** WireGuard, Tailscale, ZeroTier, OpenVPN, PPP and the like, on Linux, macOS and Windows. */
const tunnelName =
  /^(tun|tap|wg|utun|tailscale|zt|ppp|ipsec|gif|stf|nordlynx|proton|cloudflarewarp|warp)|tailscale|zerotier|wireguard|openvpn/i
/** Docker, Podman, libvirt, LXC, Kubernetes, VMware, VirtualBox, Hyper-V, and macOS' internet sharing (`bridge100`; `bridge0` is Thunderbolt). */
const virtualName =
  /^(docker|br-|veth|virbr|vnet|lxc|lxd|podman|cni|flannel|cali|vmnet|vboxnet|vethernet|bridge1\d\d)|virtualbox|vmware|hyper-v/i

export function readInterfaces(): readonly InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).map(({ address, netmask, family, mac, internal }) => ({ name, address, netmask, family, mac, internal })),
  )
}

/**
 * Which interfaces to speak mDNS on: the first IPv4 address of every real interface. A group can be joined once per interface, so its
 * further addresses are left out. Interfaces without a hardware address are tunnels.
 */
export function chooseInterfaces(all: readonly InterfaceAddress[], options: ChooseInterfacesOptions = {}): InterfaceChoice {
  const used: InterfaceAddress[] = []
  const skipped: SkippedInterface[] = []
  const seen = new Set<string>()
  for (const candidate of all) {
    if (candidate.family !== 'IPv4') continue
    const reason = seen.has(candidate.name) ? 'second address' : skipReason(candidate, options)
    seen.add(candidate.name)
    if (reason === null) used.push(candidate)
    else skipped.push({ interface: candidate, reason })
  }
  if (used.length > 0) return { used, skipped, onlyVirtual: false }
  const virtual = skipped.filter((entry) => entry.reason === 'virtual')
  return {
    used: virtual.map((entry) => entry.interface),
    skipped: skipped.filter((entry) => entry.reason !== 'virtual'),
    onlyVirtual: virtual.length > 0,
  }
}

function skipReason(candidate: InterfaceAddress, options: ChooseInterfacesOptions): SkipReason | null {
  if (candidate.internal) return options.loopback === true ? null : 'loopback'
  if (candidate.mac === '00:00:00:00:00:00' || tunnelName.test(candidate.name)) return 'tunnel'
  return virtualName.test(candidate.name) ? 'virtual' : null
}

/** Names one address of one interface; changes whenever what was announced there is no longer true. */
export const interfaceKey = (link: InterfaceAddress): string => `${link.name}/${link.address}/${link.netmask}`

/** Whether an IPv4 address lies in the interface's subnet. */
export function isOnLink(link: InterfaceAddress, address: string): boolean {
  if (!isIPv4(address) || !isIPv4(link.netmask)) return false
  const mask = toNumber(link.netmask)
  return (toNumber(address) & mask) >>> 0 === (toNumber(link.address) & mask) >>> 0
}

/** Whether a packet from this sender may be heard on the interface (RFC 6762, section 11). A /31 or /32 says nothing about its neighbours. */
export const mayHear = (link: InterfaceAddress, sender: string): boolean =>
  link.netmask === '255.255.255.255' || link.netmask === '255.255.255.254' || isOnLink(link, sender)

function toNumber(ipv4: string): number {
  return ipv4.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}
