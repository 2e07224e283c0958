import { createFakeLog } from '@shoal/core/testing'
import { checkMulticast, startMembership } from '@shoal/membership'
import { systemClock } from '@shoal/runtime'

/**
 * A process of its own that takes part in membership. Its one argument is JSON of `announce`, `browse` and `peers`; it writes one JSON line
 * per event to stdout: `ready`, `candidates`, `warning`, `closed`, and `usage` for every line it reads. SIGTERM makes it leave.
 * With `checkMs` it writes the report of the multicast self-test and ends.
 */
const options = JSON.parse(process.argv[2] ?? '{}')
const write = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const log = createFakeLog()
if (typeof options.checkMs === 'number') {
  write(await checkMulticast({ timeoutMs: options.checkMs, log, clock: systemClock }))
  process.exit()
}
const membership = await startMembership({
  announce: options.announce ?? null,
  browse: options.browse ?? [],
  peers: options.peers ?? [],
  peerPort: 7412,
  log: { ...log, warn: (fields, message) => write({ kind: 'warning', fields, message }) },
  clock: systemClock,
  onChange: (candidates) => write({ kind: 'candidates', candidates }),
})
process.stdin.on('data', () => {
  const { user, system } = process.cpuUsage()
  write({ kind: 'usage', rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1_000 })
})
process.once('SIGTERM', () => {
  process.stdin.destroy()
  void membership[Symbol.asyncDispose]().then(() => write({ kind: 'closed' }))
})
write({ kind: 'ready', multicast: membership.multicast })
