import path from 'node:path'
import type { LoadedModel, Log } from '@shoal/core'
import { type Correction, compareWithMeasured, correctionKey, effectiveBandwidth, learnMemory, learnSpeed } from '@shoal/planner'
import { readJsonFile, writeJsonFile } from '@shoal/runtime'
import type { LoadPlan } from './load-ports.ts'

/** What loads and runs on this node have taught the planner, kept in the state folder. */
export interface Corrections {
  /** By the planner's `correctionKey`. */
  readonly all: Readonly<Record<string, Correction>>
  /** Compares a fresh load with its plan, warns beyond 10 %, and watches its speed while it serves. */
  observe(modelId: string, plan: LoadPlan, model: LoadedModel): void
  /** Resolves when what was learnt so far is written. */
  saved(): Promise<void>
}

/** Smaller models are all overhead: they would teach nonsense about the others of their architecture. */
const weightBytesMin = 100e6
/** A speed counts when it beats the best so far by so much; what other streams slow down is no news. */
const speedGain = 1.05

export async function openCorrections(stateDirectory: string, log: Log): Promise<Corrections> {
  const file = path.join(stateDirectory, 'corrections.json')
  let all = (await readJsonFile(file, parseCorrections, log)) ?? {}
  let writing: Promise<void> = Promise.resolve()

  const learn = (key: string, correction: Correction) => {
    all = { ...all, [key]: correction }
    const snapshot = all
    writing = writing
      .then(() => writeJsonFile(file, snapshot))
      .catch((error: unknown) => log.warn({ file, err: error }, 'what was learnt of memory and speed could not be kept'))
  }

  return {
    get all() {
      return all
    },
    saved: () => writing,
    observe(modelId, { sizing, dimensions, unifiedMemory }, model) {
      if (dimensions.weightBytes < weightBytesMin) return
      const key = correctionKey(dimensions.architecture, sizing.backend)
      const comparison = compareWithMeasured(sizing.terms, model.facts, { unifiedMemory })
      if (comparison !== null) {
        const { plannedBytes, measuredBytes, ratio, warn } = comparison
        const facts = { modelId, plannedBytes, measuredBytes, ratio: Math.round(ratio * 1000) / 1000 }
        if (warn) log.warn(facts, 'a model takes other memory than planned; the next plan of its kind is corrected')
        else log.info(facts, 'a model takes the memory that was planned')
        learn(key, learnMemory(all[key] ?? null, comparison))
      }
      let best = 0
      model.onChange(() => {
        const { tokensPerSecond } = model
        if (tokensPerSecond === null || tokensPerSecond < best * speedGain) return
        best = tokensPerSecond
        const bandwidth = effectiveBandwidth(dimensions, { tokensPerSecond, device: sizing.device })
        if (bandwidth !== null) learn(key, learnSpeed(all[key] ?? null, bandwidth))
      })
    },
  }
}

function parseCorrections(value: unknown): Record<string, Correction> {
  if (typeof value !== 'object' || value === null) throw new Error('not an object')
  return Object.fromEntries(Object.entries(value).map(([key, correction]) => [key, parseCorrection(correction)]))
}

function parseCorrection(value: unknown): Correction {
  const { estimateRatio, effectiveBandwidthBytesPerSecond } = value as Record<string, unknown>
  return {
    estimateRatio: positiveOrNull(estimateRatio),
    effectiveBandwidthBytesPerSecond: positiveOrNull(effectiveBandwidthBytesPerSecond),
  }
}

function positiveOrNull(value: unknown): number | null {
  if (value === null) return null
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw new Error(`${String(value)} is not a positive number`)
}
