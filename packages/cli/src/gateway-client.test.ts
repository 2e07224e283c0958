import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { createGatewayClient } from './gateway-client.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('takes a base URL with or without /v1', async () => {
  const url = await serve((request, response) => response.end(JSON.stringify({ path: request.url })))
  for (const base of [url, `${url}/`, `${url}/v1`, `${url}/v1/`]) {
    expect(await createGatewayClient(base).get('/shoal/v1/nodes')).toEqual({ path: '/shoal/v1/nodes' })
  }
})

it('turns the error of a gateway into the same error here', async () => {
  const error = { message: 'There is no model "x".', type: 'invalid_request_error', param: 'model', code: 'model_not_found' }
  const url = await serve((_, response) => response.writeHead(404).end(JSON.stringify({ error })))
  await expect(createGatewayClient(url).get('/any')).rejects.toMatchObject({ code: 'MODEL_UNKNOWN', message: error.message })
})

it('says what answered when it is no gateway', async () => {
  const url = await serve((_, response) => response.writeHead(502).end('<html>a proxy</html>'))
  await expect(createGatewayClient(url).get('/any')).rejects.toMatchObject({
    code: 'ROUTE_UNKNOWN',
    message: `What answers at ${url}/any is no Shoal gateway (status 502).`,
  })
})

it('names the gateway nobody answers at, and the remedy', async () => {
  await expect(createGatewayClient('http://127.0.0.1:9').get('/any')).rejects.toMatchObject({
    code: 'NO_NODE',
    message: 'No gateway answers at http://127.0.0.1:9.',
    remedy: expect.stringContaining('shoal up'),
  })
})

it.each(['', 'foo', 'foo:7411', 'ftp://x'])('refuses %j as a gateway', (url) => {
  expect(() => createGatewayClient(url)).toThrow(expect.objectContaining({ code: 'USAGE' }))
})
