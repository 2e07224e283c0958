import { type RequestId, ShoalError } from '@shoal/core'
import { chooseAutoModel } from './choose-auto-model.ts'
import { dispatchAuto, dispatchFor, dispatchWaiting } from './dispatch-waiting.ts'
import { estimateRetryAfterMs, whyHopeless } from './model-outlook.ts'
import { applyNodeChanged, applyNodeLost, expireGone } from './node-events.ts'
import type { RejectCode, RoutingEffect, RoutingEvent } from './routing-events.ts'
import { addOwnRunning, dequeue, enqueue, type RequestEntry, type RoutingTable } from './routing-table.ts'

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
