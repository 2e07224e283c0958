import { type Client, credentials, type MethodDefinition, makeClientConstructor, type ServiceDefinition, status } from '@grpc/grpc-js'
import { createFakeLog } from '@shoal/core/testing'
import { service } from 'grpc-health-check'
import { expect, test } from 'vitest'
import { createFakeNodeApi } from '../testing/fake-node-api.ts'
import { startNodeServer } from './node-server.ts'

/** The published definition of the service, not ours: what a prober uses must understand what we serve. */
const published = service as unknown as ServiceDefinition
const Prober = makeClientConstructor(published, 'Health')

const start = () =>
  startNodeServer({ api: createFakeNodeApi(), host: '127.0.0.1', port: 0, log: createFakeLog(), allowInsecureNonLoopback: false })

function check(client: Client, name: string): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = published.Check as MethodDefinition<unknown, unknown>
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: name }, (error, answer) => {
      if (error) reject(error)
      else resolve(answer)
    })
  })
}

test('a published prober sees the server and the node service serving, and nothing else', async () => {
  await using server = await start()
  const client = new Prober(`127.0.0.1:${server.port}`, credentials.createInsecure())
  expect(await check(client, '')).toMatchObject({ status: 'SERVING' })
  expect(await check(client, 'shoal.v1.NodeService')).toMatchObject({ status: 'SERVING' })
  await expect(check(client, 'shoal.v1.Other')).rejects.toMatchObject({ code: status.NOT_FOUND })
  client.close()
})

test('a published watcher hears that the server stops', async () => {
  const server = await start()
  const client = new Prober(`127.0.0.1:${server.port}`, credentials.createInsecure())
  const { path, requestSerialize, responseDeserialize } = published.Watch as MethodDefinition<unknown, unknown>
  const seen: unknown[] = []
  const unknownSeen: unknown[] = []
  const watch = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' })
  const watchUnknown = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: 'other' })
  const ended = new Promise((resolve) => watch.on('end', resolve).on('error', resolve))
  watchUnknown.on('error', () => {}).on('data', (answer) => unknownSeen.push(answer))
  const first = new Promise((resolve) => watch.once('data', resolve))
  watch.on('data', (answer) => seen.push(answer))
  await first
  await expect.poll(() => unknownSeen.length).toBe(1)
  await server[Symbol.asyncDispose]()
  await ended
  expect(seen).toMatchObject([{ status: 'SERVING' }, { status: 'NOT_SERVING' }])
  expect(unknownSeen).toMatchObject([{ status: 'SERVICE_UNKNOWN' }])
  client.close()
})
