import type { EventEmitter } from 'node:events'
import type { Clock, Log } from '@shoal/core'
import { Bonjour, type Browser, type Service } from 'bonjour-service'
import type { HeardService, ServiceRecord } from './announcement.ts'
import { createGuardedSocket } from './guarded-socket.ts'
import type { InterfaceAddress } from './interfaces.ts'

export interface MdnsLinkOptions {
  readonly link: InterfaceAddress
  readonly publish: ServiceRecord | null
  /** Service types to look for. */
  readonly browse: readonly string[]
  readonly clock: Clock
  readonly log: Log
  /** UDP port; another than 5353 in tests only. */
  readonly port: number
  readonly onFound: (service: HeardService) => void
  readonly onLost: (type: string, fqdn: string) => void
  readonly onHeard?: (sender: string) => void
}

/** mDNS on one interface. */
export interface MdnsLink {
  /** Resolves when the socket is bound or has failed; bounded. */
  readonly ready: Promise<void>
  /** Why the link is of no use any more; null while it works. */
  readonly failure: string | null
  /** Asks for all service types, which every mDNS responder of the link answers. */
  askForAnything(): void
  /** Says goodbye for what was published if asked to, then frees the socket; bounded, never rejects. */
  close(options: { readonly goodbye: boolean }): Promise<void>
}

export const mdnsPort = 5353
/** The library queries once; a first packet is easily lost, so it is asked again soon, then every 45 s. */
const queryDelaysMs = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 45_000] as const
/** The library repeats an announcement after 3 s; RFC 6762, section 8.3 wants a second one within 1 s. */
const announceDelaysMs = [250, 750] as const
/** A browser reports a service once and keeps it for ever: it is replaced now and then, and when it holds too many. */
const browserAgeMaxMs = 10 * 60_000
const browserServicesMax = 256
const closeLimitMs = 500
const readyLimitMs = 1_000

/** The parts of the library behind its types that the rules of use need. */
interface Responder extends EventEmitter {
  respond(records: unknown): void
  query(name: string, type: string): void
}

export function openMdnsLink(options: MdnsLinkOptions): MdnsLink {
  const { link, publish, browse, clock, log, port } = options
  const timers = new Set<() => void>()
  const later = (delayMs: number, run: () => void) => {
    const cancel = clock.after(delayMs, () => {
      timers.delete(cancel)
      run()
    })
    timers.add(cancel)
  }
  let failure: string | null = null
  let closed = false
  const ready = Promise.withResolvers<void>()
  const fail = (error: unknown) => {
    if (closed) return
    failure ??= error instanceof Error ? error.message : String(error)
    ready.resolve()
  }
  const packetError = (error: unknown) => log.debug({ interface: link.name, error: String(error) }, 'mDNS packet dropped')
  const socket = createGuardedSocket({
    link,
    clock,
    onPacketError: packetError,
    ...(options.onHeard === undefined ? {} : { onHeard: options.onHeard }),
  })
  // Without `bind` the library binds the unicast address, which receives no multicast on Linux.
  const transport = { interface: link.address, bind: '0.0.0.0', port, socket }
  const bonjour = new Bonjour(transport as object, packetError)
  const responder = (bonjour as unknown as { readonly server: { readonly mdns: Responder } }).server.mdns
  responder.on('error', fail)
  responder.on('ready', () => ready.resolve())
  // Membership errors come as warnings, packets that cannot be decoded too: only the first mean that nothing can be heard.
  responder.on('warning', (error: NodeJS.ErrnoException) => (error.syscall === 'addMembership' ? fail(error) : packetError(error)))

  const browsers = browse.map((type) => startBrowser({ ...options, type }, bonjour))
  const askAgain = (index: number) => {
    const delayMs = queryDelaysMs[Math.min(index, queryDelaysMs.length - 1)] ?? 45_000
    later(delayMs, () => {
      for (const browser of browsers) browser.refresh()
      askAgain(index + 1)
    })
  }
  if (browsers.length > 0) askAgain(0)
  if (publish !== null) {
    const { type, name, host, txt } = publish
    const service = bonjour.publish({ type, name, host, port: publish.port, txt, probe: false })
    for (const delayMs of announceDelaysMs) later(delayMs, () => responder.respond(service.records()))
  }
  later(readyLimitMs, () => ready.resolve())

  return {
    ready: ready.promise,
    get failure() {
      return failure
    },
    askForAnything: () => responder.query('_services._dns-sd._udp.local', 'PTR'),
    async close({ goodbye }) {
      if (closed) return
      closed = true
      for (const cancel of timers) cancel()
      timers.clear()
      for (const browser of browsers) browser.stop()
      if (goodbye && failure === null) await within(clock, (done) => bonjour.unpublishAll(done))
      await within(clock, (done) => bonjour.destroy(done))
      ready.resolve()
    },
  }
}

interface RefreshableBrowser {
  /** Asks again; every ten minutes with an empty memory. */
  refresh(): void
  stop(): void
}

function startBrowser(options: MdnsLinkOptions & { readonly type: string }, bonjour: Bonjour): RefreshableBrowser {
  const { type, clock, onFound, onLost } = options
  let current = start()
  function start(): { readonly browser: Browser; readonly startedMs: number } {
    const browser = bonjour.find({ type })
    const found = (service: Service) => {
      onFound(heardService(type, service))
      if (browser.services.length > browserServicesMax) replace()
    }
    browser.on('up', found)
    browser.on('srv-update', found)
    browser.on('txt-update', found)
    browser.on('down', (service) => onLost(type, service.fqdn))
    return { browser, startedMs: clock.nowMs() }
  }
  function replace() {
    current.browser.stop()
    current = start()
  }
  return {
    refresh() {
      if (clock.nowMs() - current.startedMs >= browserAgeMaxMs) replace()
      else current.browser.update()
    },
    stop: () => current.browser.stop(),
  }
}

const heardService = (type: string, service: Service): HeardService => ({
  type,
  fqdn: service.fqdn,
  host: service.host,
  port: service.port,
  txt: typeof service.txt === 'object' && service.txt !== null ? service.txt : {},
  addresses: service.addresses ?? [],
  sender: service.referer?.address ?? '',
})

/** Resolves when `run` calls back, throws, or the time is up. */
function within(clock: Clock, run: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(closeLimitMs, resolve)
    const done = () => {
      cancel()
      resolve()
    }
    try {
      run(done)
    } catch {
      done()
    }
  })
}
