import type { NetworkInterfaceProfile } from '@shoal/core'

/**
 * Why an interface is no way to the machines of the local network:
 * - loopback, link-local: its address means nothing to others
 * - container: bridge or cable end of Docker, Podman, Kubernetes
 * - hypervisor: network of virtual machines on this host
 * - vpn: tunnel; carries no multicast, may be used by naming a peer
 * - down: no carrier or switched off
 * - no-address: up, but without an IP address of its own (also the members of a bridge or bond)
 */
export type InterfaceSkip = 'loopback' | 'link-local' | 'container' | 'hypervisor' | 'vpn' | 'down' | 'no-address'

/** What Linux tells of an interface in /sys/class/net; other systems give only the name. */
export interface LinkFacts {
  readonly isWireless: boolean
  /** It stands for hardware (or a virtual machine's card), itself or through the interfaces below it. */
  readonly hasDevice: boolean
  /** `DEVTYPE` of its uevent: `bridge`, `vlan`, `wireguard`, ... */
  readonly type: string | null
  /** Has tun_flags, or a link type without link-layer addresses. */
  readonly isTunnel: boolean
}

const containerNames = /^(docker|br-[0-9a-f]{12}$|veth|podman|cni|flannel|cali|cilium|lxc|lxdbr|incusbr|kube-|nodelocaldns|vxlan\.calico)/
const hypervisorNames = /^(virbr|vnet\d|vmnet|vboxnet|vEthernet|VMware|VirtualBox|bridge\d{3}$|vmenet)/
const vpnNames = /^(tun|tap|wg|tailscale|zt|ppp|utun|ipsec|nordlynx|proton|gpd|cscotun|Tailscale|ZeroTier|WireGuard|OpenVPN)/
const otherVirtualNames = /^(dummy|ifb|sit|gre|ip6tnl|awdl|llw|anpi|ap\d|nlmon|bonding_masters)/

export type InterfaceKind = NetworkInterfaceProfile['kind']

/** Kind by name, and by what the system says of the link where it says something. */
export function classifyInterface(name: string, isLoopback: boolean, link: LinkFacts | null): InterfaceKind {
  if (isLoopback) return 'loopback'
  if (link?.isWireless === true) return 'wireless'
  if (containerNames.test(name) || hypervisorNames.test(name) || vpnNames.test(name) || otherVirtualNames.test(name)) return 'virtual'
  if (link !== null) return link.hasDevice ? 'wired' : 'virtual'
  return 'unknown'
}

export interface InterfaceFacts {
  readonly name: string
  readonly address: string | null
  /** One of the interface's addresses is neither loopback nor link-local. */
  readonly isRoutable: boolean
  readonly link: LinkFacts | null
}

/**
 * Null = may lead to other machines. Being virtual is no reason by itself: a container's own `eth0` is, and yet its only way out. So is
 * the end of a cable between namespaces when it has an address of its own; the host's end of a container's cable has none.
 */
export function chooseSkip({ name, address, isRoutable, link }: InterfaceFacts): InterfaceSkip | null {
  if (vpnNames.test(name) || link?.type === 'wireguard' || link?.isTunnel === true) return 'vpn'
  if (containerNames.test(name) && link?.hasDevice !== true && !(name.startsWith('veth') && isRoutable)) return 'container'
  if (hypervisorNames.test(name) && link?.hasDevice !== true) return 'hypervisor'
  if (address === null) return 'no-address'
  return isLinkLocal(address) ? 'link-local' : null
}

export function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab][0-9a-f]:/i.test(address)
}
