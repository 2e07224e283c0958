import { ShoalError } from '@shoal/core'

export interface ListenErrorFacts {
  /** What `listen` or `bindAsync` failed with. grpc-js names the system's code only in its message. */
  readonly error: unknown
  readonly host: string
  readonly port: number
  /** What wanted the port, for example `gateway`. */
  readonly what?: string
  /** The flag that chooses another port. */
  readonly flag?: string
}

/** Port taken or not allowed -> PORT_IN_USE, an address that is not this machine's -> USAGE, anything else as `ShoalError.from`. */
export function listenError({ error, host, port, what = 'this program', flag = '--port' }: ListenErrorFacts): ShoalError {
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return new ShoalError({
        code: 'PORT_IN_USE',
        message: `${what} cannot listen on ${place}: another program uses port ${port}.`,
        remedy: `Stop the other program, or choose another port with ${flag} (0 takes any free one).`,
        cause: error,
      })
    case 'EACCES':
      return new ShoalError({
        code: 'PORT_IN_USE',
        message: `${what} may not listen on ${place}: the system refuses port ${port} to this user.`,
        remedy: `Choose a port above 1023 with ${flag}.`,
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ShoalError({
        code: 'USAGE',
        message: `${what} cannot listen on ${place}: ${host} is not an address of this machine.`,
        remedy: 'Choose an address of this machine; shoal doctor lists them.',
        cause: error,
      })
    default:
      return ShoalError.from(error)
  }
}

function systemCodeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  if ('code' in error && typeof error.code === 'string') return error.code
  return /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL|ENOTFOUND)\b/.exec(error.message)?.[1] ?? null
}
