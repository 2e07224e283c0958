import { createFakeLog } from '@shoal/core/testing'
import { startMembership } from '@shoal/membership'
import { systemClock } from '@shoal/runtime'

/**
 * A process of its own that takes part in membership. Its one argument is JSON of `announce`, `browse` and `peers`; it writes one JSON line
 * per event to stdout: `ready`, `candidates`, `closed`. SIGTERM makes it leave.
 */
const options = JSON.parse(process.argv[2] ?? '{}')
const write = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const log = createFakeLog()
const membership = await startMembership({
  announce: options.announce ?? null,
  browse: options.browse ?? [],
  peers: options.peers ?? [],
  peerPort: 7412,
  log: { ...log, warn: (fields, message) => write({ kind: 'warning', fields, message }) },
  clock: systemClock,
  onChange: (candidates) => write({ kind: 'candidates', candidates }),
})
write({ kind: 'ready', multicast: membership.multicast })
process.once('SIGTERM', () => {
  void membership[Symbol.asyncDispose]().then(() => write({ kind: 'closed' }))
})
