import { confirm, isCancel } from '@clack/prompts'
import type { Log } from '@shoal/core'
import { startMembership } from '@shoal/membership'
import { systemClock } from '@shoal/runtime'
import type { UpOptions } from './up.ts'

/** Long enough for an answer to the first question on a LAN, short enough not to be felt. */
const listenMs = 1_000

/** Address of a gateway that another machine announces, or null when none is heard. */
export async function findOtherGateway(log: Log): Promise<string | null> {
  let wake = () => {}
  const heard = new Promise<void>((resolve) => {
    wake = resolve
  })
  await using membership = await startMembership({
    announce: null,
    browse: ['gateway'],
    peers: [],
    peerPort: 0,
    log,
    clock: systemClock,
    onChange: (candidates) => {
      if (candidates.length > 0) wake()
    },
  })
  if (membership.multicast.kind !== 'available') return null
  let cancel = () => {}
  await Promise.race([
    heard,
    new Promise<void>((resolve) => {
      cancel = systemClock.after(listenMs, resolve)
    }),
  ])
  cancel()
  return membership.candidates[0]?.addresses[0] ?? null
}

/**
 * Whether to be an agent for that gateway instead of making a second one. Asks on a terminal; elsewhere only `--join` joins, and a line
 * on stderr says what was seen.
 */
export async function offerToJoin(gateway: string, options: UpOptions): Promise<boolean> {
  const needsLan = 'An agent that others can reach needs --insecure-lan.'
  if (options.join === true) {
    if (options.insecureLan === true) return true
    process.stderr.write(`shoal: there is a gateway at ${gateway}, but it cannot reach this machine. ${needsLan}\n`)
    return false
  }
  if (options.insecureLan !== true || !process.stdin.isTTY || !process.stderr.isTTY) {
    const how = `shoal up --join${options.insecureLan === true ? '' : ' --insecure-lan'}`
    process.stderr.write(`shoal: there is a gateway at ${gateway} already; starting another one. To serve for it instead: ${how}\n`)
    return false
  }
  const answer = await confirm({
    message: `There is a gateway at ${gateway}. Serve for it instead of starting another one?`,
    output: process.stderr,
  })
  return !isCancel(answer) && answer
}
