import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NodesResponse } from '@shoal/core'
import { smallModel } from '@shoal/gguf/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLan, type Lan } from './netns.ts'
import { describeInNetns } from './requirements.ts'
import { createShoalHost, eventually, type ShoalHost, type ShoalProcess } from './shoal-program.ts'

const burst = fileURLToPath(new URL('./burst.ts', import.meta.url))

describeInNetns('a gateway and two agents on three hosts', () => {
  let lan: Lan
  const disposables: AsyncDisposable[] = []
  const hosts: Record<string, ShoalHost> = {}
  const host = (name: string): ShoalHost => {
    const found = hosts[name]
    if (found === undefined) throw new Error(`no host ${name}`)
    return found
  }
  const agentArgs = ['agent', '--insecure-lan', '--threads', '1']
  const nodes = async (): Promise<NodesResponse['nodes']> => {
    const { code, stdout, stderr } = await host('gw').run(['nodes', '-o', 'json'])
    if (code !== 0) throw new Error(stderr)
    return (JSON.parse(stdout) as NodesResponse).nodes
  }
  const ask = async (count: number) => {
    const { stdout, stderr } = await lan
      .host('gw')
      .exec(process.execPath, [burst, 'http://127.0.0.1:7411', String(count), 'auto'], { timeoutMs: 60_000 })
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as { status: number; text: string | null; error: string | null }[]
  }
  let gateway: ShoalProcess
  let agents: Record<'one' | 'two', ShoalProcess>

  beforeAll(async () => {
    lan = await createLan({ hosts: [{ name: 'gw' }, { name: 'one' }, { name: 'two' }, { name: 'late' }] })
    disposables.push(lan)
    for (const name of ['gw', 'one', 'two', 'late']) {
      const made = await createShoalHost(lan.host(name))
      disposables.push(made)
      hosts[name] = made
    }
    for (const name of ['one', 'two']) {
      await mkdir(join(host(name).home, 'models'))
      await copyFile(await smallModel({ architecture: 'llama' }), join(host(name).home, 'models', 'shared.gguf'))
    }
  }, 60_000)
  afterAll(async () => {
    for (const each of disposables.reverse()) await each[Symbol.asyncDispose]()
  }, 30_000)

  it('finds both agents by mDNS within 2 s of their being up, and shows their profiles', async () => {
    gateway = host('gw').start(['gateway', '--insecure-lan'])
    await gateway.line(/^listening http:\/\/127\.0\.0\.1:7411\/v1$/)
    agents = { one: host('one').start(agentArgs), two: host('two').start(agentArgs) }
    await Promise.all([agents.one.line(/^agent /), agents.two.line(/^agent /)])
    const readyMs = performance.now()
    const seen = await eventually(nodes, (found) => found.length === 2, 10_000)
    // One look costs the start of a program; what counts is that the answer of the first look within 2 s already has both.
    expect(performance.now() - readyMs).toBeLessThan(2_000)
    for (const node of seen) {
      expect(node.description.profile.cpu.logicalCores).toBeGreaterThan(0)
      expect(node.description.profile.memory.limitBytes).toBeGreaterThan(2 ** 30)
      expect(node.address).toMatch(/^10\.77\.0\.\d+:7412$/)
    }
    expect(gateway.stderr()).toContain('--insecure-lan')
  }, 40_000)

  it('deploys one model on both, and both answer 20 concurrent requests to auto', async () => {
    const deployed = await host('gw').run(['deploy', 'shoal-demo', '--replicas', '2', '--context', '512', '--slots', '2'])
    expect(deployed.stderr).not.toContain('shoal: error')
    expect(deployed.stdout).toMatch(/^deployed shoal-demo replicas=2\/2 /)
    const answers = await ask(20)
    expect(answers.map((each) => each.status)).toEqual(Array(20).fill(200))
    for (const { text } of answers) expect(text?.length).toBeGreaterThan(10)
    const speeds = (await nodes()).map((node) => node.state.models[0]?.tokensPerSecond ?? null)
    expect(speeds).toHaveLength(2)
    for (const speed of speeds) expect(speed).toBeGreaterThan(0)
  }, 60_000)

  it('chooses for the fleet the real model that both have', async () => {
    const deployed = await host('gw').run(['deploy', 'auto', '--replicas', '2', '--context', '512', '--slots', '2'])
    expect(deployed.stdout).toMatch(/^deployed shared replicas=2\/2 /)
  }, 60_000)

  it('drops an agent within 3 s of kill -9, goes on answering, and takes it back when it returns', async () => {
    agents.one.process.kill('SIGKILL')
    const killedMs = performance.now()
    await eventually(nodes, (found) => found.length === 1, 10_000)
    expect(performance.now() - killedMs).toBeLessThan(3_000)
    const answers = await ask(4)
    expect(answers.map((each) => each.status)).toEqual([200, 200, 200, 200])
    agents.one = host('one').start(agentArgs)
    const back = await eventually(
      nodes,
      (found) =>
        found.filter((node) => node.state.models.some((model) => model.modelId === 'shared' && model.status === 'ready')).length === 2,
      20_000,
    )
    expect(back).toHaveLength(2)
  }, 60_000)

  it('offers shoal up on another host to join, and joins when told', async () => {
    const alone = host('late').start(['up', '--offline', '--threads', '1'])
    await alone.line(/^ready .* nodes=1$/)
    expect(alone.stderr()).toMatch(/there is a gateway at 10\.77\.0\.11:7411 .*shoal up --join --insecure-lan/)
    alone.process.kill('SIGTERM')
    expect(await alone.exited).toBe(0)
    const joined = host('late').start(['up', '--join', '--insecure-lan', '--threads', '1'])
    await joined.line(/^agent /)
    await eventually(nodes, (found) => found.length === 3, 10_000)
    joined.process.kill('SIGTERM')
    expect(await joined.exited).toBe(0)
    await eventually(nodes, (found) => found.length === 2, 5_000)
  }, 60_000)

  it('ends an agent and the gateway cleanly on SIGTERM', async () => {
    agents.two.process.kill('SIGTERM')
    expect(await agents.two.exited).toBe(0)
    await eventually(nodes, (found) => found.length === 1, 5_000)
    gateway.process.kill('SIGTERM')
    expect(await gateway.exited).toBe(0)
  }, 30_000)
})
