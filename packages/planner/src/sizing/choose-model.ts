import type { NodeProfile } from '@shoal/core'
import { byPreference, type Candidate } from './candidates.ts'
import { type Correction, correctionKey } from './correction.ts'
import { explainSizing } from './explain-sizing.ts'
import { formatBytes } from './format-bytes.ts'
import { type MemoryBudget, memoryBudget } from './memory-budget.ts'
import { predictSpeed, type Speed } from './predict-speed.ts'
import { shapeDefault, shapesToTry } from './shapes.ts'
import { type Sizing, sizeModel } from './size-model.ts'

/**
 * - good: fits, and is as fast as asked for
 * - speed-unknown: fits; nobody knows how fast it is here, so it does not pass for fast
 * - slow: fits, and is predicted to be slower than asked for
 * - size-unknown: a term cannot be computed before the header is read
 * - no-disk: fits into memory, but there is no room for the file
 * - does-not-fit
 */
export type Verdict = 'good' | 'speed-unknown' | 'slow' | 'size-unknown' | 'no-disk' | 'does-not-fit'

export interface CandidatePlan {
  readonly candidate: Candidate
  readonly verdict: Verdict
  /** The shape it would be loaded with; for what does not fit the smallest one tried. */
  readonly sizing: Sizing
  readonly speed: Speed
  /** One sentence for people. */
  readonly reason: string
}

/**
 * - good: the best ranked one that fits and is fast enough
 * - speed-unknown: nothing is known to be fast enough; the one that reads least per token of those with unknown speed
 * - slow: all that fit are slower than asked for; the fastest of them
 */
export type ChoiceKind = 'good' | 'speed-unknown' | 'slow'

export interface ModelChoice {
  /** Null = nothing fits. */
  readonly chosen: CandidatePlan | null
  readonly kind: ChoiceKind | null
  /** Smallest file of a ranked model that fits and is not slow: to serve with within minutes while the chosen one is fetched. */
  readonly smallestFitting: CandidatePlan | null
  /** Every candidate, in order of preference. */
  readonly plans: readonly CandidatePlan[]
}

export interface ModelQuery {
  readonly profile: NodeProfile
  readonly candidates: readonly Candidate[]
  /** Default 8192 tokens per slot. */
  readonly contextTokensWanted?: number
  /** Default 4. */
  readonly slotsWanted?: number
  /** Default 8: about as fast as people read. */
  readonly tokensPerSecondMin?: number
  /** By `correctionKey`. */
  readonly corrections?: Readonly<Record<string, Correction>>
  /** RAM that models to be unloaded before will give back. */
  readonly freedBytes?: number
}

const tokensPerSecondMinDefault = 8
/** Left on the disk for everybody else. */
const diskReserveBytes = 2 ** 30

/** Best model for one machine, with every candidate explained. */
export function chooseModel(query: ModelQuery): ModelChoice {
  const budget = memoryBudget(query.profile, query.freedBytes)
  return chooseAmong(query.candidates.toSorted(byPreference).map((candidate) => planCandidate(query, candidate, budget)))
}

/** The choice among candidates that are planned already, in order of preference: of all, or of those a question is about. */
export function chooseAmong(plans: readonly CandidatePlan[]): ModelChoice {
  const withVerdict = (verdict: Verdict) => plans.filter((plan) => plan.verdict === verdict)
  const good = withVerdict('good')
  const unknown = withVerdict('speed-unknown').toSorted((a, b) => readBytes(a) - readBytes(b))
  const slow = withVerdict('slow').toSorted((a, b) => (b.speed.tokensPerSecond ?? 0) - (a.speed.tokensPerSecond ?? 0))
  const smallestFitting = [...good, ...unknown].filter(isPresentable).toSorted((a, b) => weightBytes(a) - weightBytes(b))[0] ?? null
  const kinds: readonly (readonly [ChoiceKind, readonly CandidatePlan[]])[] = [
    ['good', good.filter((plan) => !plan.candidate.isDemo)],
    ['speed-unknown', unknown.filter(isPresentable)],
    ['slow', slow.filter(isPresentable)],
    ['good', good],
    ['speed-unknown', unknown],
    ['slow', slow],
  ]
  for (const [kind, those] of kinds) {
    const [chosen] = those
    if (chosen !== undefined) return { chosen, kind, smallestFitting, plans }
  }
  return { chosen: null, kind: null, smallestFitting, plans }
}

function planCandidate(query: ModelQuery, candidate: Candidate, budget: MemoryBudget): CandidatePlan {
  const { dimensions, estimates } = candidate
  const correctionOf = (backend: Sizing['backend']) => query.corrections?.[correctionKey(dimensions.architecture, backend)] ?? null
  const wanted = { contextTokens: query.contextTokensWanted ?? shapeDefault.contextTokens, slots: query.slotsWanted ?? shapeDefault.slots }
  const shared = { dimensions, budget, correctionOf, ...(estimates === undefined ? {} : { estimates }) }
  let sizing: Sizing | null = null
  for (const shape of shapesToTry(wanted, dimensions.contextTokensTrained)) {
    sizing = sizeModel({ ...shared, ...shape })
    if (sizing.fits !== false) break
  }
  sizing ??= sizeModel({ ...shared, ...wanted })
  const speed = predictSpeed({ dimensions, profile: query.profile, sizing, correctionOf })
  return { candidate, sizing, speed, ...judge({ query, candidate, sizing, speed }) }
}

function judge(options: {
  readonly query: ModelQuery
  readonly candidate: Candidate
  readonly sizing: Sizing
  readonly speed: Speed
}): Pick<CandidatePlan, 'verdict' | 'reason'> {
  const { query, candidate, sizing, speed } = options
  const size = `${explainSizing(sizing)}${explainCut(options)}`
  if (sizing.fits === null) return { verdict: 'size-unknown', reason: size }
  if (!sizing.fits) return { verdict: 'does-not-fit', reason: size }
  const diskBytes = query.profile.disk?.freeBytes ?? null
  if (candidate.fetchBytes > 0 && diskBytes !== null && candidate.fetchBytes + diskReserveBytes > diskBytes) {
    const reason = `needs ${formatBytes(candidate.fetchBytes)} on disk, ${formatBytes(diskBytes)} are free`
    return { verdict: 'no-disk', reason }
  }
  const minimum = query.tokensPerSecondMin ?? tokensPerSecondMinDefault
  const { tokensPerSecond, tokensPerSecondAtLeast } = speed
  if (tokensPerSecond !== null) {
    const rate = `${tokensPerSecond.toFixed(tokensPerSecond < 10 ? 1 : 0)} tokens per second`
    return tokensPerSecond >= minimum
      ? { verdict: 'good', reason: `${size}, about ${rate}` }
      : { verdict: 'slow', reason: `${size}, but only about ${rate} of the ${minimum} wanted` }
  }
  if (tokensPerSecondAtLeast !== null && tokensPerSecondAtLeast >= minimum) {
    return { verdict: 'good', reason: `${size}, at least ${tokensPerSecondAtLeast.toFixed(0)} tokens per second` }
  }
  return { verdict: 'speed-unknown', reason: `${size}; how fast is unknown` }
}

/** A context that was asked for and is longer than the model was trained for is cut, which nobody should have to guess. */
function explainCut({
  query,
  candidate,
  sizing,
}: {
  readonly query: ModelQuery
  readonly candidate: Candidate
  readonly sizing: Sizing
}): string {
  const trained = candidate.dimensions.contextTokensTrained
  const wanted = query.contextTokensWanted ?? shapeDefault.contextTokens
  if (trained === null || wanted <= trained || sizing.contextTokens !== trained) return ''
  return ` (trained for ${trained} tokens, so ${trained})`
}

/** Neither a demo nor, where others are ranked, a model nobody knows the quality of. */
const isPresentable = ({ candidate }: CandidatePlan): boolean =>
  !candidate.isDemo && (candidate.rank !== null || candidate.fetchBytes === 0)

const weightBytes = ({ candidate }: CandidatePlan): number => candidate.dimensions.weightBytes

const readBytes = ({ candidate }: CandidatePlan): number => candidate.dimensions.decodeReadBytes ?? Number.POSITIVE_INFINITY
