// A fake node in a process of its own, for tests that freeze or kill one. Prints its port.
import { createFakeLog } from '@shoal/core/testing'
import { startNodeServer } from '../server/node-server.ts'
import { createFakeNodeApi } from './fake-node-api.ts'

const port = Number(process.argv[2] ?? '0')
const server = await startNodeServer({
  api: createFakeNodeApi(),
  host: '127.0.0.1',
  port,
  log: createFakeLog(),
  allowInsecureNonLoopback: false,
})
process.stdout.write(`${server.port}\n`)
