import type { ModelId } from '@shoal/core'
import type { RejectCode, WantedModel } from './routing-events.ts'
import { incarnationKey, type RoutingTable } from './routing-table.ts'

/**
 * Whether waiting for a model can be worth it. `null`: some node serves it, is getting it, or left with it a short while ago.
 * Otherwise why not:
 * - MODEL_UNKNOWN: there are nodes, and none has it
 * - NO_NODE: there is no node at all, it failed to load everywhere, or every node that has it failed this request
 */
export function whyHopeless(table: RoutingTable, wanted: WantedModel, excluded: readonly string[]): 'MODEL_UNKNOWN' | 'NO_NODE' | null {
  if (wanted === 'auto') return anyModelHasOutlook(table, excluded) ? null : 'NO_NODE'
  if (hasOutlook(table, wanted, excluded)) return null
  const isKnown = (table.holders.get(wanted)?.size ?? 0) > 0
  return isKnown || table.nodes.size === 0 ? 'NO_NODE' : 'MODEL_UNKNOWN'
}

function hasOutlook(table: RoutingTable, modelId: ModelId, excluded: readonly string[]): boolean {
  if (table.gone.has(modelId)) return true
  for (const holder of table.holders.get(modelId)?.values() ?? []) {
    if (holder.report.status !== 'failed' && !excluded.includes(incarnationKey(holder.node))) return true
  }
  return false
}

function anyModelHasOutlook(table: RoutingTable, excluded: readonly string[]): boolean {
  if (table.gone.size > 0) return true
  for (const modelId of table.holders.keys()) if (hasOutlook(table, modelId, excluded)) return true
  return false
}

/** Retry-After is never below a second (clients would hammer) nor above a minute (the estimate is too rough to send people away). */
const retryAfterMsMin = 1000
const retryAfterMsMax = 60_000
/** Before any request has finished here: a short answer of 100 tokens at 20 tokens per second. */
const serviceMsGuess = 5000
/** How soon a node that is starting or returning is worth another try. */
const noNodeRetryAfterMs = 5000

/**
 * Estimate for the Retry-After header: all that wait for the same model before a newcomer, at the mean time a request took lately, over the
 * slots of the nodes that serve it. Null for MODEL_UNKNOWN.
 */
export function estimateRetryAfterMs(table: RoutingTable, code: RejectCode, modelId: ModelId | null): number | null {
  if (code === 'MODEL_UNKNOWN') return null
  if (code === 'NO_NODE') return noNodeRetryAfterMs
  const slots = modelId === null ? 0 : servingSlots(table, modelId)
  if (slots === 0) return noNodeRetryAfterMs
  let ahead = 1
  for (const lane of table.lanes.values()) if (lane.wanted === modelId || lane.wanted === 'auto') ahead += lane.waiting.size
  const estimateMs = (ahead * (table.serviceMs ?? serviceMsGuess)) / slots
  return Math.ceil(Math.min(Math.max(estimateMs, retryAfterMsMin), retryAfterMsMax))
}

function servingSlots(table: RoutingTable, modelId: ModelId): number {
  let slots = 0
  for (const holder of table.holders.get(modelId)?.values() ?? []) {
    if (holder.report.status === 'ready' && !holder.node.draining) slots += holder.report.slotsTotal
  }
  return slots
}
