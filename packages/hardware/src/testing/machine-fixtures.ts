import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { CpuSource } from '../cpu.ts'

/** Path below `/` -> content. */
export type FileTree = Readonly<Record<string, string>>

export interface FixtureMachine extends CpuSource, AsyncDisposable {}

/** Writes a tree into a folder of its own, to be read in place of this machine's `/`. */
export async function startFixtureMachine(
  tree: FileTree,
  { architecture = 'x64', availableParallelism = 8 }: Partial<CpuSource> = {},
): Promise<FixtureMachine> {
  const root = await mkdtemp(path.join(tmpdir(), 'shoal-machine-'))
  for (const [file, content] of Object.entries(tree)) {
    const target = path.join(root, file)
    await mkdir(path.dirname(target), { recursive: true })
    await writeFile(target, `${content}\n`)
  }
  return {
    root,
    platform: 'linux',
    architecture,
    availableParallelism,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

export const mebibyte = 1024 ** 2
export const gibibyte = 1024 ** 3

export const meminfo = (totalBytes: number, availableBytes: number): FileTree => ({
  'proc/meminfo': [
    `MemTotal:       ${totalBytes / 1024} kB`,
    `MemFree:          ${availableBytes / 2048} kB`,
    `MemAvailable:   ${availableBytes / 1024} kB`,
  ].join('\n'),
})

/** A host on version 1 without any limit, as the kernel says it: 2^63 less a page, and -1. */
export const unlimitedV1: FileTree = {
  ...meminfo(24 * gibibyte, 20 * gibibyte),
  'proc/self/cgroup': '4:memory:/user/job\n2:cpu,cpuacct:/\n0::/',
  'proc/self/mountinfo': [
    '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
    '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
  ].join('\n'),
  'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
  'sys/fs/cgroup/memory/user/job/memory.limit_in_bytes': '9223372036854771712',
  'sys/fs/cgroup/memory/user/job/memory.usage_in_bytes': '1000000',
  'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1',
  'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
}

/** A Docker container on version 1: the mount shows the container's group as its root, the membership still names the host's path. */
export const dockerV1: FileTree = {
  ...meminfo(32 * gibibyte, 28 * gibibyte),
  'proc/self/cgroup': '11:memory:/docker/4f1e\n5:cpu,cpuacct:/docker/4f1e\n1:name=systemd:/docker/4f1e',
  'proc/self/mountinfo': [
    '610 605 0:33 /docker/4f1e /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory',
    '611 605 0:34 /docker/4f1e /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:18 - cgroup cgroup rw,cpu,cpuacct',
  ].join('\n'),
  'sys/fs/cgroup/memory/memory.limit_in_bytes': String(2 * gibibyte),
  'sys/fs/cgroup/memory/memory.usage_in_bytes': String(1536 * mebibyte),
  'sys/fs/cgroup/memory/memory.stat': [
    'cache 1',
    'inactive_file 7',
    `total_inactive_file ${512 * mebibyte}`,
    `total_active_file ${256 * mebibyte}`,
  ].join('\n'),
  'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '150000',
  'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
}

/** A service on version 2: limits on two of its three levels, each tighter in another respect. */
export const nestedV2: FileTree = {
  ...meminfo(32 * gibibyte, 28 * gibibyte),
  'proc/self/cgroup': '0::/system.slice/shoal.service/engine',
  'proc/self/mountinfo': '29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot',
  'sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids',
  'sys/fs/cgroup/system.slice/memory.max': 'max',
  'sys/fs/cgroup/system.slice/memory.high': String(10 * gibibyte),
  'sys/fs/cgroup/system.slice/memory.current': String(9 * gibibyte),
  'sys/fs/cgroup/system.slice/memory.stat': `anon 1\ninactive_file ${gibibyte}\nactive_file 0\nslab_reclaimable ${512 * mebibyte}`,
  'sys/fs/cgroup/system.slice/cpu.max': 'max 100000',
  'sys/fs/cgroup/system.slice/shoal.service/memory.max': String(8 * gibibyte),
  'sys/fs/cgroup/system.slice/shoal.service/memory.high': 'max',
  'sys/fs/cgroup/system.slice/shoal.service/memory.current': String(gibibyte),
  'sys/fs/cgroup/system.slice/shoal.service/memory.stat': 'anon 1\ninactive_file 0\nactive_file 0',
  'sys/fs/cgroup/system.slice/shoal.service/cpu.max': '250000 100000',
  'sys/fs/cgroup/system.slice/shoal.service/engine/memory.max': 'max',
  'sys/fs/cgroup/system.slice/shoal.service/engine/cpu.max': 'max 100000',
}

/** A container on version 2 with a namespace of its own: its group is the root it sees. */
export const containerV2: FileTree = {
  ...meminfo(64 * gibibyte, 60 * gibibyte),
  'proc/self/cgroup': '0::/',
  'proc/self/mountinfo': '900 890 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw',
  'sys/fs/cgroup/memory.max': String(4 * gibibyte),
  'sys/fs/cgroup/memory.current': String(3 * gibibyte),
  'sys/fs/cgroup/memory.stat': `inactive_file ${gibibyte}\nactive_file ${gibibyte}`,
  'sys/fs/cgroup/cpu.max': '50000 100000',
}

const x64Core = (flags: string) => `model name\t: AMD Ryzen 7 7840HS w/ Radeon 780M Graphics\nflags\t\t: fpu sse2 ${flags}`

/** A laptop: 4 cores with 2 threads each, two batteries, a mouse, Wi-Fi, a dock, Docker, a VPN and a virtual machine's bridge. */
export const laptop: FileTree = {
  ...meminfo(16 * gibibyte, 9 * gibibyte),
  'proc/cpuinfo': Array.from(
    { length: 8 },
    (_, core) => `processor\t: ${core}\n${x64Core('ssse3 sse4_2 avx f16c fma avx2 bmi2 avx512f')}`,
  ).join('\n\n'),
  ...Object.fromEntries(
    Array.from({ length: 8 }, (_, core) => [`sys/devices/system/cpu/cpu${core}/topology/core_cpus_list`, `${core % 4},${(core % 4) + 4}`]),
  ),
  'sys/devices/system/cpu/cpufreq/boost': '1',
  'sys/class/power_supply/AC/type': 'Mains',
  'sys/class/power_supply/AC/online': '0',
  'sys/class/power_supply/BAT0/type': 'Battery',
  'sys/class/power_supply/BAT0/present': '1',
  'sys/class/power_supply/BAT0/capacity': '80',
  'sys/class/power_supply/BAT0/status': 'Discharging',
  'sys/class/power_supply/BAT0/energy_full': '60000000',
  'sys/class/power_supply/BAT1/type': 'Battery',
  'sys/class/power_supply/BAT1/present': '1',
  'sys/class/power_supply/BAT1/capacity': '20',
  'sys/class/power_supply/BAT1/status': 'Unknown',
  'sys/class/power_supply/BAT1/energy_full': '20000000',
  'sys/class/power_supply/hidpp_battery_0/type': 'Battery',
  'sys/class/power_supply/hidpp_battery_0/scope': 'Device',
  'sys/class/power_supply/hidpp_battery_0/capacity': '5',
  'sys/class/power_supply/hidpp_battery_0/status': 'Discharging',
}

/** A Jetson: one memory for CPU and GPU, no model name in cpuinfo worth the word, the board's name in the device tree. */
export const jetson: FileTree = {
  ...meminfo(8 * gibibyte, 6 * gibibyte),
  'proc/cpuinfo': Array.from(
    { length: 6 },
    (_, core) =>
      `processor\t: ${core}\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nFeatures\t: fp asimd aes crc32 atomics fphp asimdhp asimdrdm lrcpc asimddp\nCPU part\t: 0xd42`,
  ).join('\n\n'),
  'proc/device-tree/model': 'NVIDIA Jetson Orin Nano Developer Kit\0',
  ...Object.fromEntries(
    Array.from({ length: 6 }, (_, core) => [`sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`, String(core)]),
  ),
}
