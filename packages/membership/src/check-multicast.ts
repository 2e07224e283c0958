import { randomBytes } from 'node:crypto'
import type { Clock, Log } from '@shoal/core'
import { checkText } from './announcement.ts'
import { chooseInterfaces, type InterfaceAddress, readInterfaces, type SkippedInterface } from './interfaces.ts'
import { describeSkipped } from './link-set.ts'
import { mdnsPort, openMdnsLink } from './mdns-link.ts'
import { peerRemedy } from './peer.ts'

export interface CheckMulticastOptions {
  /** How long to listen, on all interfaces at a time; 1 to 2 s tells enough. */
  readonly timeoutMs: number
  readonly log: Log
  readonly clock: Clock
  readonly interfaces?: () => readonly InterfaceAddress[]
  /** Whose firewall and settings the remedies name. */
  readonly platform?: string
  /** As for membership: tests only. */
  readonly transport?: { readonly loopback?: boolean; readonly port?: number }
}

/**
 * - works: it heard its own announcement
 * - silent: sending and listening succeeded, but nothing came back
 * - failed: the socket could not be opened or joined; `reason` is the system's
 */
export interface InterfaceMulticast {
  readonly name: string
  readonly address: string
  readonly outcome: 'works' | 'silent' | 'failed'
  /** From opening the socket until the own announcement was heard; null when it was not. */
  readonly heardAfterMs: number | null
  /** Other machines of this link that said anything by mDNS meanwhile, whatever they are. */
  readonly neighbours: number
  readonly reason: string | null
  readonly remedy: string | null
}

export interface MulticastReport {
  /** At least one interface hears itself. */
  readonly works: boolean
  readonly interfaces: readonly InterfaceMulticast[]
  readonly skipped: readonly SkippedInterface[]
  /** Why no interface was tried; null when one was. */
  readonly reason: string | null
  readonly remedy: string | null
}

const checkType = 'shoal-check'
/** Announced, never dialled: the discard port. */
const checkPort = 9

/** Announces a service of its own kind on every interface and listens for it there. Says nothing of what an access point does between machines. */
export async function checkMulticast(options: CheckMulticastOptions): Promise<MulticastReport> {
  const choice = chooseInterfaces((options.interfaces ?? readInterfaces)(), { loopback: options.transport?.loopback === true })
  const interfaces = await Promise.all(choice.used.map((link) => checkInterface(link, options)))
  const none = interfaces.length === 0
  return {
    works: interfaces.some(({ outcome }) => outcome === 'works'),
    interfaces,
    skipped: choice.skipped,
    reason: none ? `No network interface can carry mDNS. ${describeSkipped(choice)}` : null,
    remedy: none ? `Connect this machine to a network. ${peerRemedy}` : null,
  }
}

async function checkInterface(link: InterfaceAddress, options: CheckMulticastOptions): Promise<InterfaceMulticast> {
  const { clock, log, timeoutMs, platform = process.platform } = options
  const name = `check-${randomBytes(6).toString('hex')}`
  const startedMs = clock.nowMs()
  const neighbours = new Set<string>()
  let heardAfterMs: number | null = null
  const opened = openMdnsLink({
    link,
    publish: { type: checkType, name, host: `shoal-${name}.local`, port: checkPort, txt: checkText({ txtvers: '1' }) },
    browse: [checkType],
    clock,
    log,
    port: options.transport?.port ?? mdnsPort,
    onFound: ({ fqdn }) => {
      if (fqdn.startsWith(`${name}.`)) heardAfterMs ??= clock.nowMs() - startedMs
    },
    onLost: () => {},
    onHeard: (sender) => {
      if (sender !== link.address && neighbours.size < 1_000) neighbours.add(sender)
    },
  })
  await opened.ready
  opened.askForAnything()
  if (opened.failure === null) await new Promise<void>((resolve) => void clock.after(timeoutMs, resolve))
  const failure = opened.failure
  await opened.close({ goodbye: true })
  const outcome = heardAfterMs !== null ? 'works' : failure === null ? 'silent' : 'failed'
  return {
    name: link.name,
    address: link.address,
    outcome,
    heardAfterMs,
    neighbours: neighbours.size,
    reason: reasonOf(outcome, failure),
    remedy: remedyOf({ outcome, failure, platform }),
  }
}

function reasonOf(outcome: InterfaceMulticast['outcome'], failure: string | null): string | null {
  if (outcome === 'works') return null
  return outcome === 'failed'
    ? `The mDNS socket failed: ${failure}.`
    : 'Its own announcement did not come back: something drops UDP port 5353.'
}

interface RemedyOptions {
  readonly outcome: InterfaceMulticast['outcome']
  readonly failure: string | null
  readonly platform: string
}

function remedyOf({ outcome, failure, platform }: RemedyOptions): string | null {
  if (outcome === 'works') return null
  if (failure?.includes('EADDRINUSE') === true) return `Another program holds UDP port 5353 for itself; stop it, or: ${peerRemedy}`
  if (failure?.includes('EACCES') === true || failure?.includes('EPERM') === true) {
    return `The system forbids this program UDP port 5353; allow it (container or sandbox settings), or: ${peerRemedy}`
  }
  if (outcome === 'failed') return `Check the interface and its address, or: ${peerRemedy}`
  return `${allowRemedy(platform)} Or: ${peerRemedy}`
}

function allowRemedy(platform: string): string {
  switch (platform) {
    case 'win32':
      return 'Allow it: New-NetFirewallRule -DisplayName "Shoal mDNS" -Direction Inbound -Protocol UDP -LocalPort 5353 -Action Allow.'
    case 'darwin':
      return 'Allow the terminal in System Settings > Privacy & Security > Local Network, and this program in the firewall.'
    default:
      return 'Allow it in the firewall, for example: ufw allow 5353/udp, or firewall-cmd --add-service=mdns.'
  }
}
