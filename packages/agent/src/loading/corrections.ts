import path from 'node:path'
import type { Log } from '@shoal/core'
import { readJsonFile, writeJsonFile } from '@shoal/runtime'

/** Loads of one kind miss the estimate by about the same share. */
export interface CorrectionKey {
  readonly architecture: string
  readonly backend: 'cpu' | 'cuda' | 'vulkan' | 'metal'
}

/** What earlier loads really took, over what was planned for them. */
export interface Corrections {
  /** 1 = as planned, or nothing is known. */
  factor(key: CorrectionKey): number
  /** Takes a measurement in; warns when it is more than 10 % beside the plan. `plannedBytes` is the plan with the factor applied. */
  note(key: CorrectionKey, load: { readonly modelId: string; readonly plannedBytes: number; readonly measuredBytes: number }): Promise<void>
}

const warnBeyond = 0.1
/** One odd measurement (a machine that swapped, a mapping not yet read) must not refuse or admit everything from then on. */
const factorMin = 0.8
const factorMax = 1.5
/** Weight of the newest measurement. */
const newestShare = 0.5

export async function openCorrections(stateDirectory: string, log: Log): Promise<Corrections> {
  const file = path.join(stateDirectory, 'memory-corrections.json')
  const factors = new Map(Object.entries((await readJsonFile(file, parseFactors, log)) ?? {}))
  const factor = (key: CorrectionKey) => factors.get(nameOf(key)) ?? 1
  return {
    factor,
    async note(key, { modelId, plannedBytes, measuredBytes }) {
      const known = factor(key)
      const ratio = measuredBytes / plannedBytes
      if (Math.abs(ratio - 1) > warnBeyond) {
        log.warn(
          { modelId, plannedBytes, measuredBytes, deviation: round(ratio - 1) },
          'a model takes other memory than planned; the next plan of its kind is corrected',
        )
      }
      const observed = known * ratio
      const next = round(clamp(known + (observed - known) * newestShare))
      if (next === factors.get(nameOf(key))) return
      factors.set(nameOf(key), next)
      await writeJsonFile(file, Object.fromEntries(factors))
    },
  }
}

const nameOf = (key: CorrectionKey): string => `${key.architecture}/${key.backend}`
const clamp = (value: number): number => Math.min(Math.max(value, factorMin), factorMax)
const round = (value: number): number => Math.round(value * 1000) / 1000

function parseFactors(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) throw new Error('not an object')
  const entries = Object.entries(value).map(([name, factor]): [string, number] => {
    if (typeof factor !== 'number' || !Number.isFinite(factor)) throw new Error(`${name} is not a number`)
    return [name, clamp(factor)]
  })
  return Object.fromEntries(entries)
}
