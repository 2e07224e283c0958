import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const packageFolder = join(import.meta.dirname, '..')
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-protocol-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function filesIn(root: string): Promise<Map<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(await Promise.all(files.sort().map(async (file) => [file.slice(root.length), await readFile(file, 'utf8')] as const)))
}

test('the generated files are those that the .proto files give now', async () => {
  const fresh = join(folder, 'generated')
  await run(process.execPath, ['generate.mjs', fresh], { cwd: packageFolder })
  const [committed, generated] = await Promise.all([filesIn(join(packageFolder, 'src/generated')), filesIn(fresh)])
  expect(generated.size).toBeGreaterThan(30)
  expect([...committed.keys()]).toStrictEqual([...generated.keys()])
  for (const [name, text] of generated) expect(committed.get(name), `${name}: npm run generate -w @shoal/protocol`).toBe(text)
})

const program = `
  import { createNodeClient, startNodeServer } from '${packageFolder}/src/index.ts'
  import { createFakeNodeApi } from '${packageFolder}/src/testing/fake-node-api.ts'
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }
  const server = await startNodeServer({ api: createFakeNodeApi(), host: '127.0.0.1', port: 0, log, allowInsecureNonLoopback: false })
  const client = createNodeClient({ address: '127.0.0.1:' + server.port, log, keepalive: { timeMs: 20, timeoutMs: 5000 } })
  const description = await client.describe(new AbortController().signal)
  const quiet = AbortSignal.timeout(200)
  await client.watch({ heartbeatMs: 1000 }, () => {}, quiet).catch((error) => console.log(description.nodeId, error.code))
  await client[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
`

test('a bundle of one file works away from this repository, health service included', async () => {
  const outfile = join(folder, 'elsewhere', 'bundle.mjs')
  await build({
    stdin: { contents: program, resolveDir: packageFolder, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'silent',
  })
  const { stdout } = await run(process.execPath, [outfile], { cwd: join(folder, 'elsewhere') })
  expect(stdout).toBe(`${'f'.repeat(32)} DEADLINE_EXCEEDED\n`)
})
