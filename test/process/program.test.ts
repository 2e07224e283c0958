import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, symlink, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { smallModel } from '@shoal/gguf/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createShoalHost, eventually, type ShoalHost, shoalProgram } from './shoal-program.ts'

const run = promisify(execFile)
const alone = ['--no-mdns', '--offline', '--threads', '1', '--port', '0', '--agent-port', '0']
let host: ShoalHost & AsyncDisposable

beforeEach(async () => {
  host = await createShoalHost(null)
})
afterEach(async () => {
  await host[Symbol.asyncDispose]()
})

const urlOf = (readyLine: string) => /^ready (http:\S+)\/v1 /.exec(readyLine)?.[1] ?? ''

describe('shoal up on one machine', () => {
  it('ends its start in one ready line on stdout, answers, and ends with 0 on Ctrl-C', async () => {
    const up = host.start(['up', ...alone])
    const ready = await up.line(/^ready /)
    expect(ready).toMatch(/^ready http:\/\/127\.0\.0\.1:\d+\/v1 model=shoal-demo nodes=1$/)
    expect(up.lines).toEqual([ready])
    expect(up.stderr()).toContain('demo')
    expect(up.stderr()).toContain('--model')
    const answer = await host.run(['--gateway', urlOf(ready), 'chat', '--max-tokens', '400', 'Who are you?'])
    expect(answer.code).toBe(0)
    expect(answer.stdout).toMatch(/demo/)
    up.process.kill('SIGINT')
    expect(await up.exited).toBe(0)
  }, 60_000)

  it('shows nodes, models and what runs, as tables and as JSON', async () => {
    const models = join(host.home, 'models')
    await mkdir(models)
    await copyFile(await smallModel({ architecture: 'llama' }), join(models, 'mine.gguf'))
    const up = host.start(['up', ...alone])
    const gateway = ['--gateway', urlOf(await up.line(/^ready /))]
    const [nodes, files, ps, json] = await Promise.all([
      host.run([...gateway, 'nodes']),
      host.run([...gateway, 'models']),
      host.run([...gateway, 'ps']),
      host.run([...gateway, '-o', 'json', 'ps']),
    ])
    expect(nodes.stdout).toMatch(/NODE.*HOST.*ADDRESS.*\n.*connected.*mine \(ready\)/s)
    expect(files.stdout).toMatch(/MODEL.*ARCHITECTURE.*\n.*mine +llama +Q8_0/s)
    expect(ps.stdout).toMatch(/mine.*ready.*0\/\d/)
    expect(JSON.parse(json.stdout)).toMatchObject({ nodes: [{ models: [{ modelId: 'mine', status: 'ready' }] }], deployments: [] })
    up.process.kill('SIGTERM')
    expect(await up.exited).toBe(0)
  }, 60_000)

  it('ends with 0 and without a complaint when it is interrupted while a model loads', async () => {
    const up = host.start(['up', ...alone, '--model', await smallModel({ architecture: 'qwen3moe' })])
    await eventually(
      async () => up.stderr(),
      (text) => text.includes('loading'),
      20_000,
    )
    up.process.kill('SIGINT')
    expect(await up.exited).toBe(0)
    expect(up.stderr()).not.toMatch(/cancelled|Error/i)
    expect(up.lines).toEqual([])
  }, 60_000)

  it('leaves no engine behind when it is killed', async () => {
    const up = host.start(['up', ...alone])
    await up.line(/^ready /)
    const children = await childrenOf(up.process.pid ?? 0)
    expect(children.length).toBeGreaterThan(0)
    up.process.kill('SIGKILL')
    await up.exited
    await eventually(
      async () => (await Promise.all(children.map(isAlive))).filter(Boolean).length,
      (alive) => alive === 0,
      5_000,
    )
  }, 60_000)
})

describe('an engine that dies or hangs under a running request', () => {
  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    it(`tells the client of a ${signal} explicitly, replaces the child within its bounds, and serves the next request`, async () => {
      const model = await smallModel({ architecture: 'llama' })
      const up = host.start(['up', ...alone, '--model', model, '--context', '4096', '--slots', '2'])
      const base = urlOf(await up.line(/^ready /))
      const [engine = 0] = await enginesOf(up.process.pid ?? 0)
      const ask = (tokens: number) =>
        fetch(`${base}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            model: 'auto',
            stream: true,
            max_tokens: tokens,
            temperature: 0,
            messages: [{ role: 'user', content: 'Go on.' }],
          }),
        })
      const response = await ask(3_900)
      let text = ''
      let faultMs = 0
      for await (const piece of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
        text += piece
        if (faultMs !== 0 || text.length < 4_000) continue
        faultMs = performance.now()
        process.kill(engine, signal)
      }
      const noticedMs = performance.now() - faultMs
      expect(text).not.toContain('[DONE]')
      expect(text).toMatch(/data: \{"error":\{[^\n]*"code":"(engine_crashed|engine_stuck)"/)
      expect(noticedMs).toBeLessThan(3_000)
      const next = await eventually(
        async () => (await ask(8)).text(),
        (answer) => answer.includes('[DONE]'),
        15_000,
      )
      expect(next).toContain('"finish_reason":"length"')
      expect(await enginesOf(up.process.pid ?? 0)).not.toContain(engine)
      up.process.kill('SIGTERM')
      expect(await up.exited).toBe(0)
    }, 90_000)
  }
})

describe('bad input on the command line', () => {
  it('names the port in use and what to do', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const failed = await host.run(['up', ...alone, '--port', String(port)])
    server.close()
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain(String(port))
    expect(failed.stderr).toContain('--port')
  }, 30_000)

  it('names a model file that is missing, and one that is cut short', async () => {
    const missing = await host.run(['up', ...alone, '--model', join(host.home, 'nowhere.gguf')])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain('nowhere.gguf')
    const cut = join(host.home, 'cut.gguf')
    await mkdir(host.home, { recursive: true })
    await copyFile(await smallModel({ architecture: 'llama' }), cut)
    await truncate(cut, 1_000_000)
    const truncated = await host.run(['up', ...alone, '--model', cut])
    expect(truncated.code).toBe(1)
    expect(truncated.stderr).toContain('cut.gguf')
    expect(truncated.stderr).toMatch(/ends at byte 1000000|1,?000,?000/)
  }, 60_000)

  it('says how to start a gateway when none answers, and refuses an unknown command with 2', async () => {
    const none = await host.run(['--gateway', 'http://127.0.0.1:9', 'nodes'])
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('shoal up')
    expect((await host.run(['frobnicate'])).code).toBe(2)
    expect((await host.run(['deploy', 'x', '--replicas', 'many'])).code).toBe(2)
  }, 30_000)

  it('refuses names of instances that are paths, temperatures out of range, and an empty prompt', async () => {
    expect(await host.run(['up', ...alone, '--name', '../../evil'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('../../evil'),
    })
    expect((await host.run(['chat', '--temperature', 'abc', 'hi'])).code).toBe(2)
    expect((await host.run(['chat', ''])).code).toBe(2)
  }, 30_000)

  it('ends quietly when its reader has read enough', async () => {
    const { stdout, stderr } = await run('sh', ['-c', `"${process.execPath}" "${shoalProgram}" plan | head -1`], {
      env: { ...process.env, SHOAL_HOME: host.home },
    })
    expect(stdout).toContain('MODEL')
    expect(stderr).not.toContain('EPIPE')
  }, 60_000)

  it('refuses a gateway beyond loopback, and says what to use', async () => {
    const open = await host.run(['gateway', '--host', '0.0.0.0', '--no-mdns', '--port', '0'])
    expect(open.code).toBe(2)
    expect(open.stderr).toContain('127.0.0.1')
  }, 30_000)
})

describe('the package', () => {
  it('has all it needs beside node-llama-cpp when it is unpacked elsewhere', async () => {
    const modules = join(host.home, 'elsewhere', 'node_modules')
    const folder = join(modules, '@shoal', 'cli')
    await mkdir(folder, { recursive: true })
    const cli = fileURLToPath(new URL('../../packages/cli', import.meta.url))
    const packed = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', host.home], { cwd: cli })
    const archive = packed.stdout.trim().split('\n').at(-1) ?? ''
    await run('tar', ['-xzf', join(host.home, archive), '-C', folder, '--strip-components=1'])
    const { dependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    expect(Object.keys(dependencies)).toEqual(['node-llama-cpp'])
    // Stands for its installation, which would have to ask a registry.
    await symlink(fileURLToPath(new URL('../../node_modules/node-llama-cpp', import.meta.url)), join(modules, 'node-llama-cpp'))
    const program = join(folder, 'dist', 'shoal.js')
    expect(program).not.toBe(shoalProgram)
    await using packaged = await createShoalHost(null, program)
    const up = packaged.start(['up', ...alone])
    expect(await up.line(/^ready /)).toContain('model=shoal-demo')
    up.process.kill('SIGTERM')
    expect(await up.exited).toBe(0)
  }, 60_000)
})

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text
    .split(' ')
    .filter((each) => each !== '')
    .map(Number)
}

/** The children that have a model loaded. */
async function enginesOf(pid: number): Promise<number[]> {
  const all = await childrenOf(pid)
  const maps = await Promise.all(all.map((each) => readFile(`/proc/${each}/maps`, 'utf8').catch(() => '')))
  return all.filter((_, index) => maps[index]?.includes('.gguf'))
}

async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return status !== null && !/^\d+ \(.*\) Z/.test(status)
}
