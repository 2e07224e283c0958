import { ShoalError } from '@shoal/core'

/** A name or address that means this machine wherever it is resolved, with any port. */
const thisMachine = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/**
 * Throws HOST_NOT_ALLOWED for a request that came by another name. Nothing asks for a key yet, so what keeps the pages of a browser out is that
 * they may not read other origins; a page whose own name is made to resolve to 127.0.0.1 (DNS rebinding) would be the same origin, and
 * only its `Host` gives it away. Every browser sends one; null = none was sent.
 */
export function checkHost(host: string | null): void {
  if (host === null || thisMachine.test(host)) return
  const shown = host.length > 100 ? `${host.slice(0, 100)}...` : host
  throw new ShoalError({ code: 'HOST_NOT_ALLOWED', message: `This gateway does not answer by the name ${shown}.` })
}
