import { formatBytes } from './format-bytes.ts'
import type { TermName } from './memory-terms.ts'
import type { Sizing } from './size-model.ts'

const termWords: Readonly<Record<TermName, string>> = {
  reserve: 'the reserve for the system',
  runtime: 'the engine process',
  weights: 'the weights',
  recurrentState: 'the recurrent state',
  compute: 'the compute buffers',
  kvCache: 'the KV cache',
  engine: 'KV cache and compute buffers',
  checkpoints: 'checkpoints of the recurrent state',
}

/** One sentence a person can read: what fits where, or what is missing. */
export function explainSizing(sizing: Sizing): string {
  const { limitingTerm, limitingMemory, plannedBytes, budgetBytes } = sizing
  const shape = `${sizing.slots} x ${sizing.contextTokens} tokens`
  if (limitingTerm === null) {
    const vram = plannedBytes.vram === null || plannedBytes.vram === 0 ? '' : ` and ${formatBytes(plannedBytes.vram)} of VRAM`
    return `takes ${formatBytes(plannedBytes.ram ?? 0)} of RAM${vram} for ${shape}`
  }
  if (sizing.fits === null) return `${termWords[limitingTerm]} cannot be computed before the file's header is read`
  const memory = limitingMemory ?? 'ram'
  const needed = sizing.terms.reduce((total, each) => (each.memory === memory ? total + (each.bytes ?? 0) : total), 0)
  const there = budgetBytes[memory] ?? 0
  const name = memory === 'ram' ? 'RAM' : 'VRAM'
  return `needs ${formatBytes(needed)} of ${name} for ${shape}, ${formatBytes(there)} are free: too little for ${termWords[limitingTerm]}`
}
