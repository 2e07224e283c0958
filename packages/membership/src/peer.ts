import { isIPv4, isIPv6 } from 'node:net'
import { ShoalError } from '@shoal/core'

/** A machine named by a person: where to look when multicast does not reach it. */
export interface Peer {
  /** Host name, IPv4 address, or IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

export const peerRemedy = 'Name the other machines with --peer HOST:PORT.'

const hostName = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$/

/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. Throws USAGE, naming what is wrong with the text. */
export function parsePeer(text: string, defaultPort: number): Peer {
  const trimmed = text.trim()
  if (trimmed === '') throw peerError(text, 'it is empty')
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)) throw peerError(text, 'it is a URL; leave the scheme and the path out')
  if (isIPv6(trimmed)) return { host: trimmed, port: defaultPort }
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(trimmed)
  if (bracketed !== null) {
    const host = bracketed[1] ?? ''
    if (!isIPv6(host)) throw peerError(text, `${quoted(host)} is not an IPv6 address`)
    return { host, port: parsePort(text, bracketed[2], defaultPort) }
  }
  const [host = '', port, ...rest] = trimmed.split(':')
  if (rest.length > 0) throw peerError(text, 'it has more than one colon; write an IPv6 address in brackets')
  if (host === '') throw peerError(text, 'the host is missing')
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) throw peerError(text, `${quoted(host)} is not an IPv4 address`)
  if (!hostName.test(host)) throw peerError(text, `${quoted(host)} is not a host name`)
  return { host, port: parsePort(text, port, defaultPort) }
}

/** The `host:port` form; IPv6 gets its brackets. */
export const formatPeer = (peer: Peer): string => `${isIPv6(peer.host) ? `[${peer.host}]` : peer.host}:${peer.port}`

function parsePort(text: string, port: string | undefined, defaultPort: number): number {
  if (port === undefined) return defaultPort
  const value = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (value < 1 || value > 65_535) throw peerError(text, `${quoted(port)} is not a port from 1 to 65535`)
  return value
}

function peerError(text: string, problem: string): ShoalError {
  return new ShoalError({
    code: 'USAGE',
    message: `The peer ${quoted(text)} cannot be used: ${problem}.`,
    remedy: 'Write a peer as HOST, HOST:PORT or [IPV6]:PORT, for example 192.168.1.20:7412.',
    param: 'peer',
  })
}

const quoted = (text: string): string => `"${text.length > 80 ? `${text.slice(0, 80)}...` : text}"`
