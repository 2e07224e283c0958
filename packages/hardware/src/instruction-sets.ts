import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { MachineSource } from './machine-source.ts'

/** Flags of /proc/cpuinfo that change the kernels an engine chooses, as the kernel names them. */
const x64Flags = [
  'ssse3',
  'sse4_2',
  'avx',
  'f16c',
  'fma',
  'avx2',
  'bmi2',
  'avx_vnni',
  'avx512f',
  'avx512cd',
  'avx512bw',
  'avx512dq',
  'avx512vl',
  'avx512_vbmi',
  'avx512_vnni',
  'avx512_bf16',
  'avx512_fp16',
  'amx_tile',
  'amx_int8',
  'amx_bf16',
]

/** The kernel's `Features` (Documentation/arch/arm64/elf_hwcaps.rst) -> the names the field uses. */
const arm64Features: Readonly<Record<string, string>> = {
  asimd: 'neon',
  asimdhp: 'fp16',
  asimddp: 'dotprod',
  i8mm: 'i8mm',
  bf16: 'bf16',
  sve: 'sve',
  sve2: 'sve2',
  sme: 'sme',
  sme2: 'sme2',
}

/** `sysctl hw.optional machdep.cpu` of macOS -> the same names. */
const darwinKeys: Readonly<Record<string, string>> = {
  'hw.optional.AdvSIMD': 'neon',
  'hw.optional.neon': 'neon',
  'hw.optional.arm.FEAT_FP16': 'fp16',
  'hw.optional.arm.FEAT_DotProd': 'dotprod',
  'hw.optional.arm.FEAT_I8MM': 'i8mm',
  'hw.optional.arm.FEAT_BF16': 'bf16',
  'hw.optional.arm.FEAT_SME': 'sme',
  'hw.optional.arm.FEAT_SME2': 'sme2',
  'hw.optional.supplementalsse3': 'ssse3',
  'hw.optional.sse4_2': 'sse4_2',
  'hw.optional.avx1_0': 'avx',
  'hw.optional.f16c': 'f16c',
  'hw.optional.fma': 'fma',
  'hw.optional.avx2_0': 'avx2',
  'hw.optional.bmi2': 'bmi2',
  'hw.optional.avx512f': 'avx512f',
  'hw.optional.avx512cd': 'avx512cd',
  'hw.optional.avx512bw': 'avx512bw',
  'hw.optional.avx512dq': 'avx512dq',
  'hw.optional.avx512vl': 'avx512vl',
  'hw.optional.avx512vbmi': 'avx512_vbmi',
}

/** Those every core has and that matter for inference; null where this system does not tell (Windows among them). */
export async function readInstructionSets(
  source: MachineSource & { readonly architecture: string },
  cpuinfo: string | null,
): Promise<readonly string[] | null> {
  if (source.platform === 'linux') return cpuinfo === null ? null : parseCpuinfo(cpuinfo, source.architecture)
  if (source.platform !== 'darwin') return null
  return promisify(execFile)('sysctl', ['hw.optional'], { timeout: 1000 }).then(
    ({ stdout }) => parseSysctl(stdout),
    () => null,
  )
}

/** Cores of one machine may differ (big and little ones): what counts is what all of them have. */
export function parseCpuinfo(cpuinfo: string, architecture: string): readonly string[] | null {
  const perCore = [...cpuinfo.matchAll(/^(?:flags|Features)\s*:\s*(.*)$/gm)].map((match) => new Set((match[1] ?? '').split(/\s+/)))
  if (perCore.length === 0) return null
  const everyCoreHas = (flag: string) => perCore.every((flags) => flags.has(flag))
  if (architecture === 'x64') return x64Flags.filter(everyCoreHas)
  if (architecture === 'arm64')
    return Object.keys(arm64Features)
      .filter(everyCoreHas)
      .map((feature) => arm64Features[feature] ?? feature)
  return null
}

export function parseSysctl(output: string): readonly string[] {
  const present = new Set([...output.matchAll(/^(\S+): 1$/gm)].map((match) => match[1]))
  return [...new Set(Object.entries(darwinKeys).flatMap(([key, name]) => (present.has(key) ? [name] : [])))]
}
