import type { ModelId, ModelSource } from '@shoal/core'
import type { CandidatePlan, ModelChoice } from '@shoal/planner'

/** A model this machine could serve. */
export interface StartCandidate {
  readonly modelId: ModelId
  readonly source: ModelSource
  readonly fileBytes: number
}

export interface StartFacts {
  /** In the models folder, best first: they fit and are fast enough, as far as anybody knows. */
  readonly local: readonly StartCandidate[]
  /** In the models folder: they fit, but slower than wanted. */
  readonly slowLocal: readonly StartCandidate[]
  /** At the hub, best first. */
  readonly hub: readonly StartCandidate[]
  /** Null = nobody asked: the user wants no network. */
  readonly hubReachable: boolean | null
  /** Free space for models; null = unknown. */
  readonly diskFreeBytes: number | null
}

/**
 * - load: this one, and that is all
 * - improve: `first` serves within minutes, `better` is fetched behind it and takes its place
 * - demo: nothing real can be had; `reason` is a sentence for people
 */
export type StartPlan =
  | { readonly kind: 'load'; readonly first: StartCandidate }
  | { readonly kind: 'improve'; readonly first: StartCandidate; readonly better: StartCandidate }
  | { readonly kind: 'demo'; readonly reason: string }

/**
 * What a machine that was told nothing serves. Files that are here win over any download: they are what their owner put here. Slow ones
 * come after the hub and before the demo.
 */
export function planStart({ local, slowLocal, hub, hubReachable, diskFreeBytes }: StartFacts): StartPlan {
  const [bestLocal] = local
  if (bestLocal !== undefined) return { kind: 'load', first: bestLocal }
  const fetched = hubReachable === true ? planFetch(hub, diskFreeBytes) : null
  if (fetched !== null) return fetched
  const [bestSlow] = slowLocal
  if (bestSlow !== undefined) return { kind: 'load', first: bestSlow }
  return { kind: 'demo', reason: whyNothing({ hub, hubReachable }) }
}

function planFetch(hub: readonly StartCandidate[], diskFreeBytes: number | null): StartPlan | null {
  const storable = hub.filter((each) => diskFreeBytes === null || each.fileBytes <= diskFreeBytes)
  const [first] = storable.toSorted((a, b) => a.fileBytes - b.fileBytes)
  if (first === undefined) return null
  const room = diskFreeBytes === null ? null : diskFreeBytes - first.fileBytes
  const better = storable.find((each) => each === first || room === null || each.fileBytes <= room)
  return better === undefined || better === first ? { kind: 'load', first } : { kind: 'improve', first, better }
}

function whyNothing({ hub, hubReachable }: Pick<StartFacts, 'hub' | 'hubReachable'>): string {
  if (hubReachable === null) return 'The models folder has no model that fits, and the hub is not asked (--offline).'
  if (!hubReachable) return 'The models folder has no model that fits, and the model hub cannot be reached.'
  if (hub.length === 0) return 'No model of the catalog fits this machine.'
  return 'The disk of the models folder has no space for any model of the catalog.'
}

/** What `planStart` needs of the planner's choice among files that are here. */
export function localFacts(choice: ModelChoice): Pick<StartFacts, 'local' | 'slowLocal'> {
  const real = choice.plans.filter((plan) => !plan.candidate.isDemo)
  const quick = real.filter((plan) => plan.verdict === 'good' || plan.verdict === 'speed-unknown')
  const slow = real.filter((plan) => plan.verdict === 'slow')
  return { local: chosenFirst(quick, choice), slowLocal: chosenFirst(slow, choice) }
}

/** The same for what could be fetched: ranked models that are fast enough; where none is, the one the planner chose. */
export function hubFacts({ plans, chosen }: ModelChoice): Pick<StartFacts, 'hub'> {
  const fetchable = plans.filter((plan) => plan.candidate.source.kind === 'hub')
  const good = fetchable.filter((plan) => plan.verdict === 'good' && plan.candidate.rank !== null)
  if (good.length > 0) return { hub: good.map(toCandidate) }
  return { hub: fetchable.filter((plan) => plan === chosen).map(toCandidate) }
}

function chosenFirst(plans: readonly CandidatePlan[], { chosen }: ModelChoice): readonly StartCandidate[] {
  const rest = plans.filter((plan) => plan !== chosen)
  return (chosen !== null && plans.includes(chosen) ? [chosen, ...rest] : rest).map(toCandidate)
}

const toCandidate = ({ candidate }: CandidatePlan): StartCandidate => ({
  modelId: candidate.modelId,
  source: candidate.source,
  fileBytes: candidate.dimensions.weightBytes,
})
