import { type ModelId, type NodeId, type RequestId, ShoalError } from '@shoal/core'
import { chooseAutoModel } from './choose-auto-model.ts'
import { chooseNode } from './choose-node.ts'
import { estimateRetryAfterMs, whyHopeless } from './model-outlook.ts'
import { applyNodeChanged, applyNodeLost, expireGone } from './node-events.ts'
import type { RejectCode, RoutingEffect, RoutingEvent } from './routing-events.ts'
import {
  addOwnRunning,
  dequeue,
  enqueue,
  type Holder,
  incarnationKey,
  type Lane,
  type RequestEntry,
  type RoutingTable,
} from './routing-table.ts'

type Event<Kind extends RoutingEvent['kind']> = Extract<RoutingEvent, { kind: Kind }>

/**
 * Where a request goes, decided by one event at a time. The table is changed in place and returned as the same object (see RoutingTable);
 * everything else about it is pure: same table, same events, same effects. Cost per step: O(nodes + lanes + log waiting), and that again for
 * every request dispatched. Throws INTERNAL for a request id that is still in use.
 */
export function step(
  table: RoutingTable,
  event: RoutingEvent,
): { readonly table: RoutingTable; readonly effects: readonly RoutingEffect[] } {
  table.nowMs = Math.max(table.nowMs, event.nowMs)
  const effects: RoutingEffect[] = []
  rejectExpired(table, effects)
  switch (event.kind) {
    case 'nodeChanged':
      for (const modelId of applyNodeChanged(table, event)) dispatchWaiting(table, modelId, effects)
      dispatchAuto(table, effects)
      rejectHopeless(table, effects)
      break
    case 'nodeLost':
      applyNodeLost(table, event.nodeId)
      dispatchAuto(table, effects)
      rejectHopeless(table, effects)
      break
    case 'requested':
      admit(table, event, effects)
      break
    case 'attemptEnded':
      endAttempt(table, event, effects)
      break
    case 'cancelled':
      cancel(table, event.requestId)
      break
    case 'tick':
      if (expireGone(table)) rejectHopeless(table, effects)
      break
  }
  return { table, effects }
}

function admit(table: RoutingTable, event: Event<'requested'>, effects: RoutingEffect[]): void {
  if (table.requests.has(event.requestId)) {
    throw new ShoalError({ code: 'INTERNAL', message: `request id ${event.requestId} is already in use` })
  }
  table.sequence += 1
  const request: RequestEntry = {
    requestId: event.requestId,
    wanted: event.model,
    sequence: table.sequence,
    deadlineMs: event.deadlineMs ?? event.nowMs + table.options.waitMaxMs,
    dispatches: 0,
    failedAttempts: 0,
    excluded: [],
    state: null,
  }
  const hopeless = whyHopeless(table, request.wanted, request.excluded)
  if (hopeless !== null) {
    reject(table, request, hopeless, effects)
    return
  }
  table.requests.set(request.requestId, request)
  enqueue(table, request)
  dispatchFor(table, request, effects)
  if (request.state?.kind === 'waiting' && table.waitingCount > table.options.queueMax) {
    dequeue(table, request)
    reject(table, request, 'QUEUE_FULL', effects)
  }
}

function endAttempt(table: RoutingTable, event: Event<'attemptEnded'>, effects: RoutingEffect[]): void {
  const request = table.requests.get(event.requestId)
  if (request?.state?.kind !== 'running' || request.state.nodeId !== event.nodeId) return
  const { nodeId, modelId, nodeKey, startedMs, cancelled } = request.state
  const holder = table.holders.get(modelId)?.get(nodeId)
  addOwnRunning(table, { nodeId, modelId }, -1)
  request.state = null
  if (holder !== undefined) holder.endedSinceReport += 1
  if (holder !== undefined && event.outcome === 'refused') holder.refusing = true
  if (event.outcome === 'finished') table.serviceMs = movingAverage(table.serviceMs, table.nowMs - startedMs)
  if (event.outcome === 'failed-other-node') {
    request.failedAttempts += 1
    request.excluded = [...request.excluded, nodeKey]
  }
  if (cancelled || event.outcome === 'finished' || event.outcome === 'failed') table.requests.delete(request.requestId)
  else requeue(table, request, effects)
  dispatchWaiting(table, modelId, effects)
}

/** Back to its place in the queue, or out when there is no point. It does not count against queueMax: it was admitted before. */
function requeue(table: RoutingTable, request: RequestEntry, effects: RoutingEffect[]): void {
  const code = whyGiveUp(table, request)
  if (code !== null) {
    reject(table, request, code, effects)
    return
  }
  enqueue(table, request)
  dispatchFor(table, request, effects)
}

function whyGiveUp(table: RoutingTable, request: RequestEntry): RejectCode | null {
  if (request.failedAttempts >= table.options.attemptsMax) return 'NO_NODE'
  if (request.deadlineMs <= table.nowMs) return 'DEADLINE_EXCEEDED'
  return whyHopeless(table, request.wanted, request.excluded)
}

function cancel(table: RoutingTable, requestId: RequestId): void {
  const request = table.requests.get(requestId)
  if (request?.state?.kind === 'running') {
    request.state = { ...request.state, cancelled: true }
    return
  }
  if (request === undefined) return
  dequeue(table, request)
  table.requests.delete(requestId)
}

function dispatchFor(table: RoutingTable, request: RequestEntry, effects: RoutingEffect[]): void {
  const modelId = request.wanted === 'auto' ? chooseAutoModel(table) : request.wanted
  if (modelId !== null) dispatchWaiting(table, modelId, effects)
}

function dispatchAuto(table: RoutingTable, effects: RoutingEffect[]): void {
  const modelId = chooseAutoModel(table)
  if (modelId !== null) dispatchWaiting(table, modelId, effects)
}

/** Gives the free slots of a model to those that wait for it, in order of arrival; who may not use them is passed over. */
function dispatchWaiting(table: RoutingTable, modelId: ModelId, effects: RoutingEffect[]): void {
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
  lane.wanted === modelId || (lane.wanted === 'auto' && chooseAutoModel(table) === modelId)

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

function rejectExpired(table: RoutingTable, effects: RoutingEffect[]): void {
  for (;;) {
    const request = table.deadlines.peek()
    if (request === undefined || request.deadlineMs > table.nowMs) return
    dequeue(table, request)
    reject(table, request, 'DEADLINE_EXCEEDED', effects)
  }
}

function rejectHopeless(table: RoutingTable, effects: RoutingEffect[]): void {
  for (const lane of [...table.lanes.values()]) {
    const code = whyHopeless(table, lane.wanted, lane.excluded)
    if (code === null) continue
    for (let request = lane.waiting.peek(); request !== undefined; request = lane.waiting.peek()) {
      dequeue(table, request)
      reject(table, request, code, effects)
    }
  }
}

function reject(table: RoutingTable, request: RequestEntry, code: RejectCode, effects: RoutingEffect[]): void {
  table.requests.delete(request.requestId)
  const modelId = request.wanted === 'auto' ? chooseAutoModel(table) : request.wanted
  const retryAfterMs = estimateRetryAfterMs(table, code, modelId)
  effects.push({ kind: 'reject', requestId: request.requestId, code, retryAfterMs, failedAttempts: request.failedAttempts })
}

/** Weight 1/8 for the newest, as TCP smooths its round-trip time (RFC 6298). */
const movingAverage = (mean: number | null, value: number): number => (mean === null ? value : mean + (value - mean) / 8)
