import path from 'node:path'
import { type MachineSource, readNumber, readText, smallestKnown } from './machine-source.ts'

/** One control group that bounds this process, with what it uses now. */
export interface CgroupMemory {
  readonly limitBytes: number
  readonly usedBytes: number
  /** Part of `usedBytes` the kernel gives back under pressure: page cache and reclaimable slab. */
  readonly reclaimableBytes: number
}

interface Hierarchy {
  readonly version: 1 | 2
  /** From the process's own group up to the mount point. */
  readonly folders: readonly string[]
}

interface CgroupMount {
  readonly root: string
  readonly mountPoint: string
  readonly version: 1 | 2
  readonly options: readonly string[]
}

/**
 * Every control group with a memory limit, of version 2 (`memory.max`, and `memory.high`, above which the kernel throttles a
 * process to a crawl) and version 1 (`memory.limit_in_bytes`). A parent bounds its children, so all levels are read.
 * Limits of `totalBytes` or more are left out: version 1 says "none" by 2^63 less a page.
 */
export async function readCgroupMemory(source: MachineSource, totalBytes: number): Promise<readonly CgroupMemory[]> {
  const hierarchies = await findHierarchies(source, 'memory')
  const levels = await Promise.all(
    hierarchies.flatMap(({ version, folders }) =>
      folders.map(async (folder) => {
        const limitBytes = await readMemoryLimit(source, version, folder)
        return limitBytes === null || limitBytes >= totalBytes ? null : readMemoryUse(source, { version, folder, limitBytes })
      }),
    ),
  )
  return levels.filter((level) => level !== null)
}

/** CPU time this process may use, in cores, by `cpu.max` (version 2) or `cpu.cfs_quota_us` (version 1) of all levels; null = no quota. */
export async function readCgroupCores(source: MachineSource): Promise<number | null> {
  const hierarchies = await findHierarchies(source, 'cpu')
  const quotas = await Promise.all(
    hierarchies.flatMap(({ version, folders }) => folders.map((folder) => readQuota(source, version, folder))),
  )
  return smallestKnown(quotas)
}

async function readMemoryLimit(source: MachineSource, version: 1 | 2, folder: string): Promise<number | null> {
  if (version === 1) return readNumber(source, `${folder}/memory.limit_in_bytes`)
  // "max" is not a number and so becomes null.
  return smallestKnown(await Promise.all([readNumber(source, `${folder}/memory.max`), readNumber(source, `${folder}/memory.high`)]))
}

async function readMemoryUse(
  source: MachineSource,
  { version, folder, limitBytes }: { version: 1 | 2; folder: string; limitBytes: number },
): Promise<CgroupMemory> {
  const [used, stat] = await Promise.all([
    readNumber(source, version === 2 ? `${folder}/memory.current` : `${folder}/memory.usage_in_bytes`),
    readText(source, `${folder}/memory.stat`),
  ])
  const keys = version === 2 ? ['inactive_file', 'active_file', 'slab_reclaimable'] : ['total_inactive_file', 'total_active_file']
  const reclaimable = keys.reduce((sum, key) => sum + statOf(stat ?? '', key), 0)
  const usedBytes = used ?? 0
  return { limitBytes, usedBytes, reclaimableBytes: Math.min(reclaimable, usedBytes) }
}

async function readQuota(source: MachineSource, version: 1 | 2, folder: string): Promise<number | null> {
  if (version === 2) {
    const [quota, period] = (await readText(source, `${folder}/cpu.max`))?.split(/\s+/) ?? []
    return coresOf(Number(quota), Number(period))
  }
  const [quota, period] = await Promise.all([
    readNumber(source, `${folder}/cpu.cfs_quota_us`),
    readNumber(source, `${folder}/cpu.cfs_period_us`),
  ])
  return coresOf(quota ?? Number.NaN, period ?? Number.NaN)
}

/** Version 1 says "no quota" by -1, version 2 by "max". */
function coresOf(quotaUs: number, periodUs: number): number | null {
  return quotaUs > 0 && periodUs > 0 ? quotaUs / periodUs : null
}

function statOf(stat: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0)
}

/** Where the groups of this process lie, for version 2 and for the version 1 hierarchy of `controller`; a hybrid system has both. */
async function findHierarchies(source: MachineSource, controller: string): Promise<readonly Hierarchy[]> {
  const [membership, mountinfo] = await Promise.all([readText(source, '/proc/self/cgroup'), readText(source, '/proc/self/mountinfo')])
  if (membership === null || mountinfo === null) return []
  const own = parseMembership(membership)
  return parseCgroupMounts(mountinfo).flatMap((mount) => {
    if (mount.version === 1 && !mount.options.includes(controller)) return []
    const group = own.find((each) => (mount.version === 2 ? each.controllers.length === 0 : each.controllers.includes(controller)))
    return group === undefined ? [] : [{ version: mount.version, folders: foldersUp(mount, group.path) }]
  })
}

/** Lines of /proc/self/cgroup: `4:memory:/a/b`, `1:cpu,cpuacct:/`, and `0::/a/b` for version 2. */
function parseMembership(text: string): readonly { readonly controllers: readonly string[]; readonly path: string }[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    return match === null ? [] : [{ controllers: match[1] === '' ? [] : (match[1] ?? '').split(','), path: match[2] ?? '/' }]
  })
}

/** Lines of /proc/self/mountinfo (proc(5)): `31 23 0:28 ROOT MOUNTPOINT OPTIONS [FIELDS] - TYPE SOURCE SUPEROPTIONS`. */
function parseCgroupMounts(text: string): readonly CgroupMount[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\S+ \S+ \S+ (\S+) (\S+) .*? - (cgroup2?) \S+ (\S+)$/.exec(line)
    if (match === null) return []
    const [, root = '/', mountPoint = '/', type, options = ''] = match
    return [
      {
        root: plainPath(root),
        mountPoint: plainPath(mountPoint),
        version: type === 'cgroup2' ? 2 : 1,
        options: options.split(','),
      } as const,
    ]
  })
}

/** The kernel writes space, tab, newline and backslash in octal. */
function plainPath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/**
 * The own group's folder and its parents up to the mount point. In a container the mount shows only the part of the tree below `mount.root`;
 * a group outside that part (or above the namespace, written with `..`) is not visible, and the mount point itself is the nearest to it.
 */
function foldersUp(mount: CgroupMount, group: string): readonly string[] {
  const inside =
    mount.root === '/' ? group : group === mount.root || group.startsWith(`${mount.root}/`) ? group.slice(mount.root.length) : '/'
  const parts = inside.split('/').filter((part) => part !== '')
  const visible = parts.includes('..') ? [] : parts
  return Array.from({ length: visible.length + 1 }, (_, level) =>
    path.posix.join(mount.mountPoint, ...visible.slice(0, visible.length - level)),
  )
}
