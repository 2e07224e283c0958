import type { ModelId } from '@shoal/core'
import { type CandidatePlan, chooseAmong } from '@shoal/planner'
import type { LocalPlan } from '../planning.ts'
import { hubFacts, localFacts, planStart } from './plan-start.ts'

export interface ExpectedStart {
  readonly modelId: ModelId
  /** Why this one, for people: the end of a sentence. */
  readonly reason: string
}

/**
 * What an agent that is told no model would start with on the machine of `plan`, by the same choice (`planStart`) and without asking the
 * network: a hub that has models in the plan is taken to be reachable. Null = nothing real can be had, and the demo is served.
 */
export function startOf({ profile, choice }: LocalPlan): ExpectedStart | null {
  const of = (isOf: (plan: CandidatePlan) => boolean) => chooseAmong(choice.plans.filter(isOf))
  const local = localFacts(of(({ candidate }) => candidate.source.kind === 'local'))
  const start = planStart({ ...local, ...hubFacts(choice), hubReachable: true, diskFreeBytes: profile.disk?.freeBytes ?? null })
  if (start.kind === 'demo') return null
  const { modelId, source } = start.first
  if (source.kind === 'local') {
    const isSlow = local.local.length === 0
    return { modelId, reason: isSlow ? 'slower than wanted, but here, and the hub has nothing that suits' : 'its file is here' }
  }
  const [slow] = local.slowLocal
  const without = slow === undefined ? '' : `; without the hub ${slow.modelId}, which is here but slower than wanted`
  const behind =
    start.kind === 'improve' ? `, because it is here soonest; ${start.better.modelId} is fetched behind it and takes its place` : ''
  return { modelId, reason: `fetched from the hub${behind}${without}` }
}
