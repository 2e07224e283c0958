import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Clock } from '@shoal/core'
import { type InterfaceAddress, mayHear } from './interfaces.ts'

export interface GuardedSocketOptions {
  readonly link: InterfaceAddress
  readonly clock: Clock
  /** A packet of any kind from a neighbour on this link. */
  readonly onHeard?: (sender: string) => void
  /** A listener threw on a packet. */
  readonly onPacketError: (error: unknown, sender: string) => void
}

/** RFC 6762, section 17: no mDNS message is larger, headers included. */
const packetBytesMax = 9_000
const headerBytes = 12
/** A machine that starts sends some 20 packets in its first seconds. */
const senderLimit = { perSecond: 25, burst: 100 }
const linkLimit = { perSecond: 250, burst: 1_000 }
const sendersMax = 512
/** Of ours, and of the question for all service types. Anything else on the network is not even parsed. */
const wanted = [Buffer.from('shoal'), Buffer.from('_services')]

/**
 * A UDP socket for the mDNS library that lets only packets through which concern us, at a bounded rate per sender, and survives whatever
 * its listeners throw. Sockets of several interfaces hear each other's groups on Linux, so packets from outside the subnet are dropped too.
 */
export function createGuardedSocket({ link, clock, onHeard, onPacketError }: GuardedSocketOptions): Socket {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const linkBucket = createBucket(linkLimit, clock)
  const senders = new Map<string, Sender>()
  const senderOf = (address: string): Sender => {
    const known = senders.get(address)
    if (known !== undefined) return known
    if (senders.size >= sendersMax) senders.clear()
    const sender = { mayBeHeard: mayHear(link, address), bucket: createBucket(senderLimit, clock) }
    senders.set(address, sender)
    return sender
  }
  const admits = (message: Buffer, { address }: RemoteInfo): boolean => {
    const sender = senderOf(address)
    if (!sender.mayBeHeard || message.length > packetBytesMax || !couldHoldItsRecords(message)) return false
    onHeard?.(address)
    return wanted.some((bytes) => message.includes(bytes)) && sender.bucket.take() && linkBucket.take()
  }
  const emit = socket.emit.bind(socket) as (event: string, ...values: unknown[]) => boolean
  socket.emit = (event: string, ...values: unknown[]): boolean => {
    if (event !== 'message') return emit(event, ...values)
    const [message, sender] = values as [Buffer, RemoteInfo]
    if (!admits(message, sender)) return false
    try {
      return emit(event, message, sender)
    } catch (error) {
      onPacketError(error, sender.address)
      return false
    }
  }
  return socket
}

/** The parser makes room for as many records as the header claims, up to 2 MB for a packet of 12 bytes; none is shorter than 5 or 11 bytes. */
function couldHoldItsRecords(message: Buffer): boolean {
  if (message.length < headerBytes) return false
  const recordCount = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10)
  return headerBytes + message.readUInt16BE(4) * 5 + recordCount * 11 <= message.length
}

interface Sender {
  readonly mayBeHeard: boolean
  readonly bucket: Bucket
}

interface Bucket {
  /** False when the rate is exceeded. */
  take(): boolean
}

function createBucket(limit: { readonly perSecond: number; readonly burst: number }, clock: Clock): Bucket {
  let tokens = limit.burst
  let atMs = clock.nowMs()
  return {
    take() {
      const nowMs = clock.nowMs()
      tokens = Math.min(limit.burst, tokens + ((nowMs - atMs) / 1_000) * limit.perSecond)
      atMs = nowMs
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
