import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { namespacePrefix, sweepNamespacesOf, sweepOrphanedNamespaces } from './netns-sweep.ts'

/**
 * Hosts as network namespaces, joined by bridges that live in a namespace of their own: nothing of the machine's network is touched, and
 * deleting the namespaces deletes all of it.
 */
export interface LanOptions {
  readonly hosts: readonly LanHostOptions[]
}

export interface LanHostOptions {
  readonly name: string
  /** Segments the host is plugged into, one interface each (`eth0`, `eth1`, ...); one called `lan` unless told otherwise. */
  readonly segments?: readonly string[]
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface LanHost {
  readonly name: string
  readonly namespace: string
  /** IPv4 address of each interface, in order. */
  readonly addresses: readonly string[]
  /** Runs a command in the namespace to its end; never rejects for an exit code. */
  exec(command: string, args: readonly string[], options?: { readonly timeoutMs?: number }): Promise<CommandResult>
  /** Starts a long-running command in the namespace; the LAN's disposal kills it. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess
  /** Pulls an interface off its bridge while its carrier stays up, as an access point does that loses a laptop. */
  unplug(interfaceIndex?: number): Promise<void>
  replug(interfaceIndex?: number): Promise<void>
}

export interface Lan extends AsyncDisposable {
  /** Throws for a name that is not there. */
  host(name: string): LanHost
}

let isFirst = true

/** Builds the hosts. What was built is taken down by disposal, on failure, at the end of this process, and by the next process if this one is killed. */
export async function createLan({ hosts }: LanOptions): Promise<Lan> {
  if (isFirst) {
    isFirst = false
    sweepOrphanedNamespaces()
    process.once('exit', () => sweepNamespacesOf(process.pid))
  }
  const lanName = `${namespacePrefix}-${process.pid}-${randomBytes(3).toString('hex')}`
  const wire = `${lanName}-wire`
  const segments = [...new Set(hosts.flatMap((host) => host.segments ?? ['lan']))]
  const children = new Set<ChildProcess>()
  const created: string[] = []
  const addNamespace = async (namespace: string) => {
    await ip('netns', 'add', namespace)
    created.push(namespace)
  }
  const dispose = async () => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(created.map(removeNamespace))
  }
  try {
    await addNamespace(wire)
    for (const [index] of segments.entries()) {
      await ip('-n', wire, 'link', 'add', `br${index}`, 'type', 'bridge', 'forward_delay', '0')
      await ip('-n', wire, 'link', 'set', `br${index}`, 'up')
    }
    const built = new Map<string, LanHost>()
    for (const [index, options] of hosts.entries()) {
      const namespace = `${lanName}-${options.name}`
      await addNamespace(namespace)
      built.set(options.name, await buildHost({ namespace, index, options, wire, segments, children }))
    }
    return {
      host(name) {
        const host = built.get(name)
        if (host === undefined) throw new Error(`no host "${name}" on this LAN`)
        return host
      },
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

interface BuildHostOptions {
  readonly namespace: string
  readonly index: number
  readonly options: LanHostOptions
  readonly wire: string
  readonly segments: readonly string[]
  readonly children: Set<ChildProcess>
}

async function buildHost({ namespace, index, options, wire, segments, children }: BuildHostOptions): Promise<LanHost> {
  const addresses: string[] = []
  const ports: { readonly name: string; readonly bridge: string }[] = []
  await ip('-n', namespace, 'link', 'set', 'lo', 'up')
  for (const [at, segment] of (options.segments ?? ['lan']).entries()) {
    const segmentIndex = segments.indexOf(segment)
    const address = `10.77.${segmentIndex}.${index + 11}`
    const port = { name: `h${index}e${at}`, bridge: `br${segmentIndex}` }
    await ip('-n', wire, 'link', 'add', port.name, 'type', 'veth', 'peer', 'name', `eth${at}`, 'netns', namespace)
    await ip('-n', wire, 'link', 'set', port.name, 'master', port.bridge, 'up')
    await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', `eth${at}`)
    await ip('-n', namespace, 'link', 'set', `eth${at}`, 'up')
    addresses.push(address)
    ports.push(port)
  }
  const portAt = (interfaceIndex: number) => {
    const port = ports[interfaceIndex]
    if (port === undefined) throw new Error(`host "${options.name}" has no interface ${interfaceIndex}`)
    return port
  }
  const inside = (command: string, args: readonly string[]) => ['netns', 'exec', namespace, command, ...args]
  return {
    name: options.name,
    namespace,
    addresses,
    exec: (command, args, { timeoutMs = 10_000 } = {}) => run('ip', inside(command, args), timeoutMs),
    spawn(command, args, spawnOptions = {}) {
      // `ip netns exec` replaces itself by the command, so signals reach the command.
      const child = spawn('ip', inside(command, args), spawnOptions)
      children.add(child)
      child.once('exit', () => children.delete(child))
      return child
    },
    async unplug(interfaceIndex = 0) {
      await ip('-n', wire, 'link', 'set', portAt(interfaceIndex).name, 'nomaster')
    },
    async replug(interfaceIndex = 0) {
      const port = portAt(interfaceIndex)
      await ip('-n', wire, 'link', 'set', port.name, 'master', port.bridge)
    },
  }
}

async function removeNamespace(namespace: string): Promise<void> {
  const pids = await run('ip', ['netns', 'pids', namespace], 5_000)
  for (const pid of pids.stdout.split(/\s+/).filter((text) => /^\d+$/.test(text))) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended in between.
    }
  }
  await run('ip', ['netns', 'del', namespace], 5_000)
}

async function ip(...args: readonly string[]): Promise<void> {
  const result = await run('ip', args, 10_000)
  if (result.code !== 0) throw new Error(`ip ${args.join(' ')} failed (${result.code}): ${result.stderr.trim()}`)
}

function run(command: string, args: readonly string[], timeoutMs: number): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr })
    })
  })
}

let availability: { readonly reason: string | null } | null = null

/** Null when namespaces can be made here, else the reason why not. */
export function netnsAvailable(): string | null {
  availability ??= { reason: findObstacle() }
  return availability.reason
}

function findObstacle(): string | null {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  if (!hasCommand('ip')) return 'iproute2 is not installed (apt-get install iproute2)'
  const name = `${namespacePrefix}-${process.pid}-probe`
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  if (made.status !== 0) return `ip netns add failed: ${made.stderr.trim()}`
  const link = spawnSync('ip', ['-n', name, 'link', 'add', 'br0', 'type', 'bridge'], { encoding: 'utf8' })
  spawnSync('ip', ['netns', 'del', name])
  return link.status === 0 ? null : `bridges cannot be made: ${link.stderr.trim()}`
}

/** Whether a command is on the path, for tests that need more than iproute2, such as nft. */
export function hasCommand(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command]).status === 0
}
