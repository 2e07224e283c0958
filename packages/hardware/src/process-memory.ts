import { kibibytesOf, type MachineSource, readText, thisMachine } from './machine-source.ts'

export interface ProcessBytes {
  /** Heap, stacks, copied weights, KV cache. */
  readonly anonymousBytes: number
  /** Pages of mapped files now in memory, among them mapped weights. */
  readonly fileBytes: number
  /** Shared memory segments. */
  readonly sharedBytes: number
  /** Sum of the three: the resident set. */
  readonly residentBytes: number
}

/**
 * Resident memory of one process by kind, from /proc/PID/status (Linux 4.5 and newer; exact to some pages per thread).
 * Null on other systems and when the process is gone.
 */
export async function measureProcessBytes(pid: number, source: MachineSource = thisMachine): Promise<ProcessBytes | null> {
  if (source.platform !== 'linux') return null
  const text = (await readText(source, `/proc/${pid}/status`)) ?? ''
  const anonymousBytes = kibibytesOf(text, 'RssAnon')
  const fileBytes = kibibytesOf(text, 'RssFile')
  if (anonymousBytes === null || fileBytes === null) return null
  const sharedBytes = kibibytesOf(text, 'RssShmem') ?? 0
  return { anonymousBytes, fileBytes, sharedBytes, residentBytes: anonymousBytes + fileBytes + sharedBytes }
}
