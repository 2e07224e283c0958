import { createFakeLog } from '@shoal/core/testing'
import { startNodeServer } from '../server/node-server.ts'
import { describeNodeApiContract } from '../testing.ts'
import { createNodeClient } from './node-client.ts'

describeNodeApiContract('gRPC', async (api) => {
  const log = createFakeLog()
  const server = await startNodeServer({ api, host: '127.0.0.1', port: 0, log, allowInsecureNonLoopback: false })
  const client = createNodeClient({ address: `127.0.0.1:${server.port}`, log })
  return {
    ...client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
})
