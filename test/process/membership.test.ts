import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Candidate } from '@shoal/membership'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type Member, type MemberOptions, memberProgram, startMember } from './member.ts'
import { createLan, hasCommand, type Lan, netnsAvailable } from './netns.ts'
import { describeInNetns, describeWhen } from './requirements.ts'

const floodProgram = fileURLToPath(new URL('./dns-flood.ts', import.meta.url))

let lan: Lan
const members: Member[] = []

const lanHosts = [
  { name: 'hub' },
  { name: 'one' },
  { name: 'two' },
  { name: 'dual', segments: ['lan', 'lab'] },
  { name: 'lab', segments: ['lab'] },
  { name: 'rogue' },
]
const useLan = () => {
  beforeAll(async () => {
    lan = await createLan({ hosts: lanHosts })
  })
  afterEach(async () => {
    await Promise.all(members.splice(0).map((member) => member[Symbol.asyncDispose]()))
  })
  afterAll(async () => {
    await lan[Symbol.asyncDispose]()
  })
}

async function start(hostName: string, options: MemberOptions): Promise<Member> {
  const member = await startMember(lan.host(hostName), options)
  members.push(member)
  return member
}
const agent = (id: string): MemberOptions => ({ announce: { role: 'agent', id, port: 7412 }, browse: ['gateway'] })
const gateway = (id: string): MemberOptions => ({ announce: { role: 'gateway', id, port: 7411 }, browse: ['agent'] })
const has =
  (...instances: string[]) =>
  (candidates: readonly Candidate[]) =>
    JSON.stringify(candidates.map(({ instance }) => instance)) === JSON.stringify(instances)
const addressesOf = (candidates: readonly Candidate[], id: string) => candidates.find(({ instance }) => instance === id)?.addresses ?? []
const addressOf = (hostName: string, port = 7412, interfaceIndex = 0) => `${lan.host(hostName).addresses[interfaceIndex]}:${port}`

describeInNetns('membership on a LAN of namespaces', () => {
  useLan()

  it('lets two agents and a gateway find each other within 2 s of being ready', async () => {
    const hub = await start('hub', gateway('g'))
    const [one, two] = await Promise.all([start('one', agent('a1')), start('two', agent('a2'))])
    const [candidates] = await Promise.all([hub.until(has('a1', 'a2')), one.until(has('g')), two.until(has('g'))])
    expect(candidates).toEqual([
      { role: 'agent', instance: 'a1', addresses: [addressOf('one')], source: 'mdns' },
      { role: 'agent', instance: 'a2', addresses: [addressOf('two')], source: 'mdns' },
    ])
    expect(hub.warnings()).toEqual([])
  })

  it('shows a machine on two LANs to both, as one candidate with both addresses', async () => {
    const hub = await start('hub', gateway('g1'))
    const labHub = await start('lab', gateway('g2'))
    const dual = await start('dual', agent('d'))
    const both = [addressOf('dual'), addressOf('dual', 7412, 1)]
    await hub.until((candidates) => addressesOf(candidates, 'd').length === 2)
    await labHub.until((candidates) => addressesOf(candidates, 'd').length === 2)
    await dual.until(has('g1', 'g2'))
    expect(addressesOf(hub.candidates(), 'd')).toEqual(both)
    expect(addressesOf(labHub.candidates(), 'd')).toEqual([...both].reverse())
    expect([...hub.warnings(), ...labHub.warnings()]).toEqual([])
  })

  it('keeps the first machine when another with its id comes and goes, and warns', async () => {
    const hub = await start('hub', gateway('g'))
    const first = await start('one', agent('twin'))
    await hub.until(has('twin'))
    const copy = await start('two', agent('twin'))
    await hub.until((candidates) => addressesOf(candidates, 'twin').length === 2)
    expect(addressesOf(hub.candidates(), 'twin')).toEqual([addressOf('one'), addressOf('two')])
    expect(await copy.leave()).toBe(0)
    await hub.until((candidates) => addressesOf(candidates, 'twin').join() === addressOf('one'))
    expect(await first.leave()).toBe(0)
    await hub.until(has())
    expect(hub.warnings()).toEqual([expect.stringContaining('twin is announced twice')])
  })

  it('keeps suggesting a machine that was killed, takes it back when it leaves after a restart', async () => {
    const hub = await start('hub', gateway('g'))
    const first = await start('one', agent('a1'))
    await hub.until(has('a1'))
    await first.kill()
    const other = await start('two', agent('a2'))
    await hub.until(has('a1', 'a2'))
    expect(await other.leave()).toBe(0)
    await hub.until(has('a1'))
    const restarted = await start('one', agent('a1'))
    await restarted.until(has('g'))
    expect(await restarted.leave()).toBe(0)
    await hub.until(has())
    expect(hub.warnings()).toEqual([])
  })

  it('finds a machine after its cable is plugged in again, and forgets none while it is out', async () => {
    const known = await start('hub', gateway('g1'))
    const agentOne = await start('one', agent('a1'))
    await known.until(has('a1'))
    await lan.host('one').unplug()
    const late = await start('two', gateway('g2'))
    await start('dual', agent('marker'))
    await late.until(has('marker'))
    await known.until(has('a1', 'marker'))
    await lan.host('one').replug()
    await late.until(has('a1', 'marker'), 6_000)
    await agentOne.until(has('g1', 'g2'), 6_000)
  })

  it('shrugs off 2,000 garbage packets and 2,000 forged machines, and still finds a real one', async () => {
    const hub = await start('hub', gateway('g'))
    await start('one', agent('a1'))
    await hub.until(has('a1'))
    const before = await hub.usage()
    for (const kind of ['announcements', 'garbage']) {
      const rogue = lan.host('rogue')
      const flood = rogue.spawn(process.execPath, [floodProgram, kind, '2000', rogue.addresses[0] ?? ''], { stdio: 'inherit' })
      expect((await once(flood, 'exit'))[0]).toBe(0)
    }
    await start('two', agent('a2'))
    await hub.until((candidates) => addressesOf(candidates, 'a2').length === 1)
    const after = await hub.usage()
    const forged = hub.candidates().filter(({ instance }) => instance?.startsWith('flood'))
    expect(forged.length).toBeGreaterThan(0)
    expect(forged.length).toBeLessThanOrEqual(32)
    expect(addressesOf(hub.candidates(), 'a1')).toEqual([addressOf('one')])
    expect(after.rssBytes - before.rssBytes).toBeLessThan(32 * 1024 * 1024)
    expect(await hub.leave()).toBe(0)
  })

  it('works with static peers alone where there is no network', async () => {
    await using island = await createLan({ hosts: [{ name: 'alone', segments: [] }] })
    await using member = await startMember(island.host('alone'), { ...gateway('g'), peers: ['10.1.1.1'] })
    expect(member.candidates()).toEqual([{ role: 'agent', instance: null, addresses: ['10.1.1.1:7412'], source: 'static' }])
    expect(member.multicast).toMatchObject({ kind: 'unavailable', reason: expect.stringContaining('No network interface') })
  })
})

describeWhen({
  title: 'membership behind a packet filter',
  obstacle: netnsAvailable() ?? (hasCommand('nft') ? null : 'nftables is not installed (apt-get install nftables)'),
  body() {
    useLan()
    const filter = async (hostName: string, hook: 'input' | 'output', rule: string) => {
      const rules = `table inet t {\n chain c {\n type filter hook ${hook} priority 0;\n ${rule}\n }\n}\n`
      const result = await lan.host(hostName).exec('nft', [rules])
      expect(result).toMatchObject({ code: 0, stderr: '' })
    }
    const unfilter = (hostName: string) => lan.host(hostName).exec('nft', ['flush', 'ruleset'])

    it('finds a machine within 2 s although its first packets are lost', async () => {
      const hub = await start('hub', { browse: ['agent'] })
      await filter('one', 'output', 'udp dport 5353 quota 1000 bytes counter drop')
      await start('one', { announce: { role: 'agent', id: 'a1', port: 7412 } })
      await hub.until(has('a1'))
      const { stdout } = await lan.host('one').exec('nft', ['list', 'ruleset'])
      await unfilter('one')
      expect(Number(/packets (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(0)
    })

    it('names the interface that cannot hear itself, and the remedy', async () => {
      const check = async () => {
        const { stdout } = await lan.host('dual').exec(process.execPath, [memberProgram, JSON.stringify({ checkMs: 500 })])
        return JSON.parse(stdout)
      }
      await start('one', { announce: { role: 'agent', id: 'neighbour', port: 7412 } })
      await filter('dual', 'input', 'iifname "eth1" udp dport 5353 drop')
      const filtered = await check()
      await unfilter('dual')
      expect(filtered).toMatchObject({
        works: true,
        interfaces: [
          { name: 'eth0', outcome: 'works', neighbours: 1, remedy: null },
          { name: 'eth1', outcome: 'silent', heardAfterMs: null, remedy: expect.stringContaining('ufw allow 5353/udp') },
        ],
      })
      expect(await check()).toMatchObject({ interfaces: [{ outcome: 'works' }, { outcome: 'works' }] })
    })
  },
})
