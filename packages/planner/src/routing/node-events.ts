import type { ModelId, NodeId } from '@shoal/core'
import type { RoutingEvent } from './routing-events.ts'
import { type NodeEntry, ownRunning, type RoutingTable } from './routing-table.ts'

type NodeChanged = Extract<RoutingEvent, { kind: 'nodeChanged' }>

/** Takes a snapshot over. Returns the models for which more work may be possible now. */
export function applyNodeChanged(table: RoutingTable, event: NodeChanged): readonly ModelId[] {
  const known = table.nodes.get(event.nodeId)
  table.autoModelId = undefined
  // A known version says nothing new of slots: counting it against today's attempts would invent foreign ones.
  if (known !== undefined && known.incarnation === event.incarnation && event.version <= known.version) {
    known.suspect = event.suspect
    const models = modelsOf(table, event.nodeId)
    for (const modelId of models) allowWork(table, modelId, event.nodeId)
    return models
  }
  const node = known ?? newNode(event)
  node.incarnation = event.incarnation
  node.version = event.version
  node.draining = event.draining
  node.suspect = event.suspect
  table.nodes.set(event.nodeId, node)
  forgetGone(table, event.nodeId)
  const reported = new Set(event.models.map((model) => model.modelId))
  for (const modelId of modelsOf(table, event.nodeId)) if (!reported.has(modelId)) removeHolder(table, modelId, event.nodeId)
  for (const model of event.models) applyReport(table, node, model)
  return [...reported]
}

/** Forgets the node but remembers its models for a while, so that requests wait for its return. */
export function applyNodeLost(table: RoutingTable, nodeId: NodeId): void {
  table.autoModelId = undefined
  table.nodes.delete(nodeId)
  for (const modelId of modelsOf(table, nodeId)) {
    const holder = table.holders.get(modelId)?.get(nodeId)
    removeHolder(table, modelId, nodeId)
    if (holder === undefined || holder.report.status === 'failed') continue
    const until = table.gone.get(modelId) ?? new Map<NodeId, number>()
    until.set(nodeId, table.nowMs + table.options.goneMemoryMs)
    table.gone.set(modelId, until)
  }
}

/** Drops the memory of nodes that have been away too long. Returns whether anything was dropped. */
export function expireGone(table: RoutingTable): boolean {
  let changed = false
  for (const [modelId, until] of table.gone) {
    for (const [nodeId, untilMs] of until) if (untilMs <= table.nowMs) until.delete(nodeId)
    if (until.size === 0) changed = table.gone.delete(modelId)
  }
  return changed
}

function applyReport(table: RoutingTable, node: NodeEntry, report: NodeChanged['models'][number]): void {
  const holders = table.holders.get(report.modelId) ?? new Map()
  table.holders.set(report.modelId, holders)
  const holder = holders.get(node.nodeId)
  // What the node counts beyond ours is somebody else's. Attempts that ended since its last report may still be in the count.
  const ours = ownRunning(table, node.nodeId, report.modelId) + (holder?.endedSinceReport ?? 0)
  const foreignSlots = Math.max(0, report.slotsUsed - ours)
  if (holder === undefined) {
    const fresh = { node, modelId: report.modelId, report, foreignSlots, endedSinceReport: 0, refusing: false, lastDispatch: 0 }
    holders.set(node.nodeId, fresh)
    return
  }
  holder.report = report
  holder.foreignSlots = foreignSlots
  holder.endedSinceReport = 0
  holder.refusing = false
}

function allowWork(table: RoutingTable, modelId: ModelId, nodeId: NodeId): void {
  const holder = table.holders.get(modelId)?.get(nodeId)
  if (holder !== undefined) holder.refusing = false
}

const newNode = (event: NodeChanged): NodeEntry => ({
  nodeId: event.nodeId,
  incarnation: event.incarnation,
  version: event.version,
  draining: event.draining,
  suspect: event.suspect,
})

function modelsOf(table: RoutingTable, nodeId: NodeId): ModelId[] {
  const models: ModelId[] = []
  for (const [modelId, holders] of table.holders) if (holders.has(nodeId)) models.push(modelId)
  return models
}

function removeHolder(table: RoutingTable, modelId: ModelId, nodeId: NodeId): void {
  const holders = table.holders.get(modelId)
  holders?.delete(nodeId)
  if (holders?.size === 0) table.holders.delete(modelId)
}

function forgetGone(table: RoutingTable, nodeId: NodeId): void {
  for (const [modelId, until] of table.gone) {
    until.delete(nodeId)
    if (until.size === 0) table.gone.delete(modelId)
  }
}
