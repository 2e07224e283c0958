import type { ModelId, NodeId } from '@shoal/core'
import { chooseAutoModel } from './choose-auto-model.ts'
import { chooseNode } from './choose-node.ts'
import type { RoutingEffect } from './routing-events.ts'
import { addOwnRunning, dequeue, type Holder, incarnationKey, type Lane, type RequestEntry, type RoutingTable } from './routing-table.ts'

/** Gives a request that has just begun to wait its chance. */
export function dispatchFor(table: RoutingTable, request: RequestEntry, effects: RoutingEffect[]): void {
  const modelId = request.wanted === 'auto' ? chooseAutoModel(table, request.excluded) : request.wanted
  if (modelId !== null) dispatchWaiting(table, modelId, effects)
}

/** After a change of what `auto` means. */
export function dispatchAuto(table: RoutingTable, effects: RoutingEffect[]): void {
  const autoLanes = [...table.lanes.values()].filter((lane) => lane.wanted === 'auto')
  const models = new Set(autoLanes.map((lane) => chooseAutoModel(table, lane.excluded)))
  for (const modelId of models) if (modelId !== null) dispatchWaiting(table, modelId, effects)
}

/** Gives the free slots of a model to those that wait for it, in order of arrival; who may not use them is passed over. */
export function dispatchWaiting(table: RoutingTable, modelId: ModelId, effects: RoutingEffect[]): void {
  if (table.waitingCount === 0) return
  for (;;) {
    const next = nextFor(table, modelId)
    if (next === null) return
    dispatch(table, next.request, next.holder, effects)
  }
}

function nextFor(table: RoutingTable, modelId: ModelId): { readonly request: RequestEntry; readonly holder: Holder } | null {
  if (chooseNode(table, modelId, []) === null) return null
  let next: { readonly request: RequestEntry; readonly holder: Holder } | null = null
  for (const lane of table.lanes.values()) {
    if (!serves(table, modelId, lane)) continue
    const request = lane.waiting.peek()
    if (request === undefined || (next !== null && next.request.sequence < request.sequence)) continue
    const holder = chooseNode(table, modelId, lane.excluded)
    if (holder !== null) next = { request, holder }
  }
  return next
}

const serves = (table: RoutingTable, modelId: ModelId, lane: Lane): boolean =>
  lane.wanted === modelId || (lane.wanted === 'auto' && chooseAutoModel(table, lane.excluded) === modelId)

function dispatch(table: RoutingTable, request: RequestEntry, holder: Holder, effects: RoutingEffect[]): void {
  const place: { nodeId: NodeId; modelId: ModelId } = { nodeId: holder.node.nodeId, modelId: holder.modelId }
  dequeue(table, request)
  addOwnRunning(table, place, 1)
  table.dispatchSequence += 1
  holder.lastDispatch = table.dispatchSequence
  request.dispatches += 1
  request.state = { kind: 'running', ...place, nodeKey: incarnationKey(holder.node), startedMs: table.nowMs, cancelled: false }
  effects.push({ kind: 'dispatch', requestId: request.requestId, ...place, attempt: request.dispatches })
}
