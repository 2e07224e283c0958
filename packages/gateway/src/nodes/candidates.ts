import { type Log, ShoalError } from '@shoal/core'
import { type Candidate, parsePeer } from '@shoal/membership'
import { isLoopbackHost } from '@shoal/protocol'
import type { NodeCandidate } from './node-runner.ts'

/** Throws USAGE for a peer that cannot be read, or lies beyond this machine when that is not allowed. */
export function checkPeers(peers: readonly string[], options: { readonly peerPort: number; readonly insecureLan: boolean }): void {
  for (const peer of peers) {
    const { host } = parsePeer(peer, options.peerPort)
    if (options.insecureLan || isLoopbackHost(host)) continue
    throw new ShoalError({
      code: 'USAGE',
      message: `The peer ${peer} is another machine, and what is sent there is neither encrypted nor checked yet.`,
      remedy: 'On a network you trust, allow it with --insecure-lan.',
      param: 'peer',
    })
  }
}

export interface CandidateFilterOptions {
  readonly insecureLan: boolean
  readonly log: Log
}

/** Turns what membership suggests into what the registry is to try. Agents that may not be talked to are named once in the log. */
export function createCandidateFilter({ insecureLan, log }: CandidateFilterOptions): (all: readonly Candidate[]) => NodeCandidate[] {
  const named = new Set<string>()
  const isAllowed = (address: string) => insecureLan || isLoopbackHost(hostOf(address))
  return (all) => {
    const chosen: NodeCandidate[] = []
    for (const { role, instance, addresses, source } of all) {
      if (role !== 'agent') continue
      const key = `${source} ${instance ?? addresses.join()}`
      const allowed = addresses.filter(isAllowed)
      if (allowed.length > 0) chosen.push({ key, addresses: allowed, isNamed: source === 'static' })
      else if (!named.has(key)) {
        named.add(key)
        log.warn({ instance, addresses }, 'found an agent on another machine; it is not used without --insecure-lan')
      }
    }
    return chosen
  }
}

/** `host:port` or `[ipv6]:port` without the port and the brackets. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}
