import { createFakeLog } from '@shoal/core/testing'
import { expect, test } from 'vitest'
import { checkPeers, createCandidateFilter } from './candidates.ts'

const agent = { role: 'agent' as const, instance: 'n1', addresses: ['192.168.1.4:7412', '[::1]:7412'], source: 'mdns' as const }

test.each(['127.0.0.1', '127.0.0.1:7500', '[::1]:7412', 'localhost'])('the peer %s is this machine', (peer) => {
  expect(() => checkPeers([peer], { peerPort: 7412, insecureLan: false })).not.toThrow()
})

test.each(['192.168.1.4', 'nas.local:7412', '[fe80::1]:7412'])('the peer %s needs a word of permission', (peer) => {
  expect(() => checkPeers([peer], { peerPort: 7412, insecureLan: false })).toThrow(
    expect.objectContaining({ code: 'USAGE', param: 'peer' }),
  )
  expect(() => checkPeers([peer], { peerPort: 7412, insecureLan: true })).not.toThrow()
})

test('of a candidate only the addresses that may be talked to are tried', () => {
  const log = createFakeLog()
  expect(createCandidateFilter({ insecureLan: true, log })([agent])).toEqual([
    { key: 'mdns n1', addresses: agent.addresses, isNamed: false },
  ])
  expect(createCandidateFilter({ insecureLan: false, log })([agent])).toEqual([
    { key: 'mdns n1', addresses: ['[::1]:7412'], isNamed: false },
  ])
  expect(log.entries).toEqual([])
})

test('a peer is known as one a person named', () => {
  const peer = { ...agent, instance: null, source: 'static' as const }
  expect(createCandidateFilter({ insecureLan: true, log: createFakeLog() })([peer])).toMatchObject([{ isNamed: true }])
})

test("an agent that may not be talked to is named once; gateways are none of the registry's business", () => {
  const log = createFakeLog()
  const filter = createCandidateFilter({ insecureLan: false, log })
  const far = { ...agent, addresses: ['192.168.1.4:7412'] }
  for (let round = 0; round < 3; round++) expect(filter([far, { ...agent, role: 'gateway' }])).toEqual([])
  expect(log.entries.map(({ message }) => message)).toEqual([expect.stringContaining('--insecure-lan')])
})
