import { isIP, isIPv6 } from 'node:net'
import { ShoalError } from '@shoal/core'

export interface ListenAddress {
  /** Name or address; `0.0.0.0` and `::` are all interfaces. */
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
}

/** True only where nothing but this machine can connect: a name other than `localhost` may resolve to anything. */
export function isLoopbackHost(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.')
  return host === 'localhost' || host === '::1'
}

/** Throws USAGE for a host beyond loopback unless it was asked for: the port knows no keys and no encryption yet. */
export function checkListenHost(host: string, allowInsecureNonLoopback: boolean): void {
  if (isLoopbackHost(host) || allowInsecureNonLoopback) return
  throw new ShoalError({
    code: 'USAGE',
    message: `the node port would listen on ${host} without encryption or keys: whoever reaches it can use this machine`,
    remedy: 'Listen on 127.0.0.1, or accept the risk on a trusted network with --insecure-lan.',
  })
}

export const formatAddress = ({ host, port }: ListenAddress): string => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`)

/** What the system said when the port was opened -> an error that names the remedy. */
export function listenError(address: ListenAddress, cause: Error): ShoalError {
  const where = formatAddress(address)
  const { message } = cause
  if (message.includes('EADDRINUSE')) {
    return new ShoalError({
      code: 'PORT_IN_USE',
      message: `port ${address.port} on ${address.host} is in use`,
      remedy:
        'Stop the program that listens there (another agent?), or choose another port with --agent-port (0 takes any free one; a second agent also wants a state of its own: --name).',
      cause,
    })
  }
  if (message.includes('EACCES')) {
    return new ShoalError({
      code: 'USAGE',
      message: `port ${address.port} on ${address.host} is not allowed for this user`,
      remedy: 'Choose a port above 1023 with --agent-port.',
      cause,
    })
  }
  return new ShoalError({
    code: 'USAGE',
    message: `cannot listen on ${where}: this machine has no such address`,
    remedy: 'Name an address of one of its interfaces, or 0.0.0.0 for all.',
    cause,
  })
}
