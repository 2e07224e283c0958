import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Log, ShoalError } from '@shoal/core'
import { estimateMemory, probeGpus } from '@shoal/engine'
import { writeDemoModel } from '@shoal/gguf'
import { listInterfaces } from '@shoal/hardware'
import { type GlobalOptions, gatewayOf } from '../commands/context.ts'
import { probeThisMachine } from '../commands/profile.ts'
import { formatBytes } from '../output/format.ts'

/**
 * - good: nothing to do
 * - note: works, but a person should know
 * - bad: something will not work until the remedy is done
 */
export interface Check {
  readonly what: string
  readonly outcome: 'good' | 'note' | 'bad'
  readonly finding: string
  readonly remedy: string | null
}

export function checkNodeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const enough = major > 22 || (major === 22 && minor >= 22)
  return { what: 'node', outcome: enough ? 'good' : 'bad', finding: version, remedy: enough ? null : 'Install Node 22.22 or newer.' }
}

/** Interfaces that can reach other machines; the others with the reason why not. */
export async function checkInterfaces(): Promise<Check[]> {
  const listed = await listInterfaces()
  const usable = listed.filter((each) => each.skip === null && each.address !== null)
  const skipped = listed.filter((each) => each.skip !== null)
  const names = usable.map((each) => `${each.name} ${each.address} (${each.kind})`).join(', ')
  const left = skipped.length === 0 ? '' : `; left out: ${skipped.map((each) => `${each.name} (${each.skip})`).join(', ')}`
  const wireless = usable.length > 0 && usable.every((each) => each.kind === 'wireless')
  return [
    usable.length === 0
      ? {
          what: 'interfaces',
          outcome: 'note',
          finding: `none reaches other machines${left}`,
          remedy: 'Connect this machine to a network to pool it with others; alone it works without.',
        }
      : {
          what: 'interfaces',
          outcome: wireless ? 'note' : 'good',
          finding: `${names}${left}`,
          remedy: wireless ? 'A wired network answers sooner and loses fewer machines.' : null,
        },
  ]
}

export async function checkPorts(ports: readonly number[]): Promise<Check[]> {
  return Promise.all(
    ports.map(async (port): Promise<Check> => {
      const error = await tryListen(port)
      if (error === null) return { what: `port ${port}`, outcome: 'good', finding: 'free', remedy: null }
      const taken = error.code === 'EADDRINUSE'
      return {
        what: `port ${port}`,
        outcome: taken ? 'note' : 'bad',
        finding: taken ? 'in use (by a running shoal, or another program)' : error.message,
        remedy: taken ? 'If it is not shoal: choose others with --port and --agent-port.' : 'Allow this program to listen on it.',
      }
    }),
  )
}

function tryListen(port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(error))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(null)))
  })
}

/** This program is newer than the clock of a machine that says otherwise: without a battery clock, machines start in 1970. */
const builtAfterMs = Date.UTC(2026, 10, 1)

export function checkClock(wallMs: number): Check {
  const plausible = wallMs > builtAfterMs
  return {
    what: 'clock',
    outcome: plausible ? 'good' : 'bad',
    finding: new Date(wallMs).toISOString(),
    remedy: plausible ? null : 'The clock is in the past: set it, or turn on time synchronisation (timedatectl set-ntp true).',
  }
}

/** Room for the smallest useful model, and a folder that can be written to. */
const diskBytesMin = 2 * 1024 ** 3

export async function checkDisk(modelsDir: string): Promise<Check> {
  const what = 'disk'
  const probe = join(modelsDir, `.doctor-${process.pid}`)
  try {
    await mkdir(modelsDir, { recursive: true })
    await writeFile(probe, 'x')
    await rm(probe)
  } catch (cause) {
    const finding = `${modelsDir} cannot be written to (${cause instanceof Error ? cause.message : String(cause)})`
    return { what, outcome: 'bad', finding, remedy: 'Make it writable for this user, or choose another with --models-dir or SHOAL_HOME.' }
  }
  const { disk } = await probeThisMachine({ output: 'json', modelsDir })
  if (disk === null) return { what, outcome: 'note', finding: `free space at ${modelsDir} is unknown`, remedy: null }
  const enough = disk.freeBytes >= diskBytesMin
  return {
    what,
    outcome: enough ? 'good' : 'bad',
    finding: `${formatBytes(disk.freeBytes)} free at ${modelsDir}`,
    remedy: enough ? null : 'Free space, or choose a folder on another disk with --models-dir.',
  }
}

/** Starts the engine's native code in its own process, has it open a model, and asks it for GPUs. */
export async function checkEngine(log: Log): Promise<Check[]> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-doctor-'))
  try {
    const path = join(folder, 'demo.gguf')
    await writeDemoModel(path)
    await estimateMemory({ path, contextTokens: 512, slots: 1, gpuLayers: 0, gpu: false, log })
    const gpus = await probeGpus({ log })
    const found = gpus.map((gpu) => `${gpu.name} (${gpu.backend})`).join(', ')
    return [{ what: 'engine', outcome: 'good', finding: `starts; ${found === '' ? 'no GPU it can use' : found}`, remedy: null }]
  } catch (thrown) {
    const error = ShoalError.from(thrown)
    const remedy = 'Install again (remove node_modules first); node-llama-cpp needs glibc 2.34 or newer on Linux.'
    return [{ what: 'engine', outcome: 'bad', finding: error.message, remedy }]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export async function checkGateway(options: GlobalOptions): Promise<Check> {
  const gateway = gatewayOf(options)
  try {
    const { nodes } = await gateway.get<{ nodes: readonly unknown[] }>('/shoal/v1/nodes')
    return { what: 'gateway', outcome: 'good', finding: `${gateway.url} answers, ${nodes.length} node(s)`, remedy: null }
  } catch (thrown) {
    return { what: 'gateway', outcome: 'note', finding: `none answers at ${gateway.url}`, remedy: ShoalError.from(thrown).remedy }
  }
}
