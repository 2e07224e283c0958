import { type InterfaceAddress, type InterfaceChoice, interfaceKey } from './interfaces.ts'
import type { MdnsLink } from './mdns-link.ts'
import { peerRemedy } from './peer.ts'

/**
 * - unused: nothing to announce and nothing to look for
 * - available: at least one interface speaks mDNS
 * - unavailable: only static peers can be found; `reason` and `remedy` are for people
 */
export type MulticastStatus =
  | { readonly kind: 'unused' }
  | { readonly kind: 'available'; readonly interfaces: readonly { readonly name: string; readonly address: string }[] }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly remedy: string }

/** The links that are open, one per interface. */
export interface LinkSet {
  /** Closes every link without a goodbye and opens the given ones. */
  reopen(interfaces: readonly InterfaceAddress[], generation: number): void
  /** Opens again what has failed. */
  retry(onRetry: (link: InterfaceAddress, failure: string) => void): void
  /** Resolves when every link is bound or has failed. */
  ready(): Promise<void>
  /** Says goodbye everywhere and waits for every link that was ever closed. */
  close(): Promise<void>
  status(choice: InterfaceChoice): MulticastStatus
}

interface OpenLink {
  readonly mdns: MdnsLink
  readonly interface: InterfaceAddress
  readonly generation: number
}

export function createLinkSet(openLink: (link: InterfaceAddress, generation: number) => MdnsLink): LinkSet {
  const links = new Map<string, OpenLink>()
  const closing = new Set<Promise<void>>()
  const close = (key: string, mdns: MdnsLink, goodbye: boolean) => {
    links.delete(key)
    const done = mdns.close({ goodbye }).finally(() => closing.delete(done))
    closing.add(done)
  }
  const open = (link: InterfaceAddress, generation: number) => {
    links.set(interfaceKey(link), { mdns: openLink(link, generation), interface: link, generation })
  }
  return {
    reopen(interfaces, generation) {
      for (const [key, { mdns }] of links) close(key, mdns, false)
      for (const link of interfaces) open(link, generation)
    },
    retry(onRetry) {
      for (const [key, { mdns, interface: link, generation }] of [...links]) {
        if (mdns.failure === null) continue
        onRetry(link, mdns.failure)
        close(key, mdns, false)
        open(link, generation)
      }
    },
    async ready() {
      await Promise.all([...links.values()].map(({ mdns }) => mdns.ready))
    },
    async close() {
      for (const [key, { mdns }] of links) close(key, mdns, true)
      await Promise.all(closing)
    },
    status: (choice) => describeStatus(choice, [...links.values()]),
  }
}

function describeStatus(choice: InterfaceChoice, links: readonly OpenLink[]): MulticastStatus {
  const working = links.filter(({ mdns }) => mdns.failure === null).map((link) => link.interface)
  if (working.length > 0) return { kind: 'available', interfaces: working.map(({ name, address }) => ({ name, address })) }
  const failures = links.map((link) => `${link.interface.name}: ${link.mdns.failure}`)
  const reason =
    failures.length > 0
      ? `mDNS failed on every interface (${failures.join('; ')}).`
      : `No network interface can carry mDNS. ${describeSkipped(choice)}`
  return { kind: 'unavailable', reason, remedy: peerRemedy }
}

/** For people: what was left out and why. */
export function describeSkipped(choice: InterfaceChoice): string {
  const skipped = choice.skipped.filter(({ reason }) => reason !== 'second address')
  if (skipped.length > 0) return `Left out: ${skipped.map((entry) => `${entry.interface.name} (${entry.reason})`).join(', ')}.`
  return choice.used.length > 0 ? 'None is left out.' : 'There is none with an IPv4 address.'
}
