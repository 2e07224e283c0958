import os from 'node:os'
import type { NetworkInterfaceProfile } from '@shoal/core'
import { chooseSkip, classifyInterface, type InterfaceKind, type InterfaceSkip, isLinkLocal, type LinkFacts } from './interface-kind.ts'
import { listNames, type MachineSource, readNumber, readText, thisMachine } from './machine-source.ts'

export interface InterfaceSource extends MachineSource {
  /** As `os.networkInterfaces()`: what is up and has an address. */
  readonly addresses: NodeJS.Dict<readonly os.NetworkInterfaceInfo[]>
}

/** One address of an interface, or an interface without any. */
export interface ListedInterface {
  readonly name: string
  readonly address: string | null
  readonly family: 'IPv4' | 'IPv6' | null
  readonly kind: InterfaceKind
  readonly speedMbitPerSecond: number | null
  /** Why it is no way to other machines; null = it may be one. */
  readonly skip: InterfaceSkip | null
}

export const theseInterfaces = (): InterfaceSource => ({ ...thisMachine, addresses: os.networkInterfaces() })

/** Every interface of this machine, usable or not, with the reason when not. Interfaces that are down are known on Linux only. */
export async function listInterfaces(source: InterfaceSource = theseInterfaces()): Promise<readonly ListedInterface[]> {
  const links = source.platform === 'linux' ? null : await askSystemInformation()
  const withAddress = await Promise.all(
    Object.entries(source.addresses).flatMap(([name, infos]) => (infos ?? []).map((info) => describe(source, { name, info, links }))),
  )
  if (source.platform !== 'linux') return withAddress
  const seen = new Set(withAddress.map(({ name }) => name))
  const names = (await listNames(source, '/sys/class/net')).filter((name) => !seen.has(name))
  const others = await Promise.all(names.map((name) => describeWithoutAddress(source, name)))
  return [...withAddress, ...others.filter((each) => each !== null)]
}

/** The addresses of a NodeProfile: all that are up, loopback and virtual ones too, each with its kind. */
export async function readInterfaces(source: InterfaceSource = theseInterfaces()): Promise<readonly NetworkInterfaceProfile[]> {
  const listed = await listInterfaces(source)
  return listed.flatMap(({ name, address, family, kind, speedMbitPerSecond }) =>
    address === null || family === null ? [] : [{ name, address, family, kind, speedMbitPerSecond }],
  )
}

interface OtherLink {
  readonly kind: InterfaceKind | null
  readonly speedMbitPerSecond: number | null
}

async function describe(
  source: InterfaceSource,
  { name, info, links }: { name: string; info: os.NetworkInterfaceInfo; links: ReadonlyMap<string, OtherLink> | null },
): Promise<ListedInterface> {
  const link = source.platform === 'linux' ? await readLink(source, name) : null
  const other = links?.get(name) ?? null
  const isRoutable = (source.addresses[name] ?? []).some((each) => !each.internal && !isLinkLocal(each.address))
  const byName = classifyInterface(name, info.internal, link)
  const kind = byName === 'unknown' ? (other?.kind ?? 'unknown') : byName
  const speed = source.platform === 'linux' ? await readSpeed(source, name) : (other?.speedMbitPerSecond ?? null)
  return {
    name,
    address: info.address,
    family: info.family,
    kind,
    // The figures of virtual links are made up by their drivers: 10000 for a veth, 10 for a tunnel.
    speedMbitPerSecond: kind === 'wired' || kind === 'wireless' ? speed : null,
    skip: info.internal ? 'loopback' : chooseSkip({ name, address: info.address, isRoutable, link }),
  }
}

async function describeWithoutAddress(source: InterfaceSource, name: string): Promise<ListedInterface | null> {
  const [link, flags, state] = await Promise.all([
    readLink(source, name),
    readNumber(source, `/sys/class/net/${name}/flags`),
    readText(source, `/sys/class/net/${name}/operstate`),
  ])
  // `bonding_masters` is a file among the folders.
  if (flags === null) return null
  const isLoopback = (flags & iffLoopback) !== 0
  const isDown = (flags & iffUp) === 0 || state === 'down' || state === 'lowerlayerdown'
  const skip = isDown ? 'down' : isLoopback ? 'loopback' : chooseSkip({ name, address: null, isRoutable: false, link })
  return { name, address: null, family: null, kind: classifyInterface(name, isLoopback, link), speedMbitPerSecond: null, skip }
}

// <net/if.h>
const iffUp = 0x1
const iffLoopback = 0x8
// <linux/if_arp.h>: ARPHRD_PPP, ARPHRD_NONE (tun, WireGuard)
const tunnelTypes = [512, 65534]

/** Bridges, bonds and VLANs stand for the hardware below them: `lower_*` links name it, and so on down. */
async function readLink(source: MachineSource, name: string, depth = 0): Promise<LinkFacts> {
  const folder = `/sys/class/net/${name}`
  const [entries, uevent, linkType] = await Promise.all([
    listNames(source, folder),
    readText(source, `${folder}/uevent`),
    readNumber(source, `${folder}/type`),
  ])
  const lowerNames = entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length))
  // Four levels cover a VLAN on a bridge on a bond; the bound keeps a loop in a broken tree from hanging us.
  const lower = depth < 4 ? await Promise.all(lowerNames.map((each) => readLink(source, each, depth + 1))) : []
  return {
    isWireless: entries.includes('wireless') || entries.includes('phy80211'),
    hasDevice: entries.includes('device') || lower.some((each) => each.hasDevice || each.isWireless),
    type: /^DEVTYPE=(.+)$/m.exec(uevent ?? '')?.[1] ?? null,
    isTunnel: entries.includes('tun_flags') || tunnelTypes.includes(linkType ?? -1),
  }
}

/** Mbit/s; the kernel says -1, or gives an error, when the driver does not know. */
async function readSpeed(source: MachineSource, name: string): Promise<number | null> {
  const speed = await readNumber(source, `/sys/class/net/${name}/speed`)
  return speed !== null && speed > 0 && speed < 0xffff_ffff ? speed : null
}

async function askSystemInformation(): Promise<ReadonlyMap<string, OtherLink>> {
  const { networkInterfaces } = await import('systeminformation')
  const found = [await networkInterfaces()].flat()
  return new Map(
    found.map(({ iface, type, virtual, speed }) => {
      const kind = virtual ? 'virtual' : type === 'wired' || type === 'wireless' ? type : null
      return [iface, { kind, speedMbitPerSecond: typeof speed === 'number' && speed > 0 ? speed : null }]
    }),
  )
}
