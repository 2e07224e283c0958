import { type LoadedFacts, modelId, type NodeModelState, type NodeState, nodeId } from '@shoal/core'
import type { LoadedFacts as WireFacts, LoadedFacts__Output as WireFactsRead } from '../generated/shoal/v1/LoadedFacts.ts'
import type { NodeModelState as WireModel, NodeModelState__Output as WireModelRead } from '../generated/shoal/v1/NodeModelState.ts'
import type { NodeState as Wire, NodeState__Output as WireRead } from '../generated/shoal/v1/NodeState.ts'
import { finiteOrNull, integerOrNull, parseFinite, parseInteger, parseOneOf, requireText } from './parse.ts'

const modelStatuses = ['downloading', 'loading', 'ready', 'restarting', 'failed'] as const

export function encodeNodeState(state: NodeState): Wire {
  return {
    nodeId: state.nodeId,
    incarnation: state.incarnation,
    version: state.version,
    draining: state.draining,
    models: state.models.map(encodeNodeModelState),
  }
}

export function parseNodeState(wire: WireRead): NodeState {
  return {
    nodeId: nodeId(requireText(wire.nodeId, 'state.node_id')),
    incarnation: wire.incarnation,
    version: parseInteger(wire.version, 'state.version'),
    draining: wire.draining,
    models: wire.models.map(parseNodeModelState),
  }
}

export function encodeNodeModelState(state: NodeModelState): WireModel {
  const wire: WireModel = {
    modelId: state.modelId,
    status: state.status,
    isDemo: state.isDemo,
    slotsTotal: state.slotsTotal,
    slotsUsed: state.slotsUsed,
    contextTokens: state.contextTokens,
  }
  if (state.progress !== null) wire.progress = state.progress
  if (state.error !== null) wire.error = state.error
  if (state.sha256 !== null) wire.sha256 = state.sha256
  if (state.tokensPerSecond !== null) wire.tokensPerSecond = state.tokensPerSecond
  if (state.plannedBytes !== null) wire.plannedBytes = state.plannedBytes
  if (state.facts !== null) wire.facts = encodeLoadedFacts(state.facts)
  return wire
}

export function parseNodeModelState(wire: WireModelRead): NodeModelState {
  return {
    modelId: modelId(requireText(wire.modelId, 'state.models.model_id')),
    status: parseOneOf(wire.status, modelStatuses, 'state.models.status'),
    progress: finiteOrNull(wire.progress, 'state.models.progress'),
    error: wire.error ?? null,
    isDemo: wire.isDemo,
    sha256: wire.sha256 ?? null,
    slotsTotal: wire.slotsTotal,
    slotsUsed: wire.slotsUsed,
    contextTokens: wire.contextTokens,
    tokensPerSecond: finiteOrNull(wire.tokensPerSecond, 'state.models.tokens_per_second'),
    plannedBytes: integerOrNull(wire.plannedBytes, 'state.models.planned_bytes'),
    facts: wire.facts ? parseLoadedFacts(wire.facts) : null,
  }
}

function encodeLoadedFacts(facts: LoadedFacts): WireFacts {
  const wire: WireFacts = {
    contextTokens: facts.contextTokens,
    slots: facts.slots,
    threads: facts.threads,
    gpuLayers: facts.gpuLayers,
    loadMs: facts.loadMs,
  }
  if (facts.residentBytes !== null) wire.residentBytes = facts.residentBytes
  if (facts.vramBytes !== null) wire.vramBytes = facts.vramBytes
  return wire
}

function parseLoadedFacts(wire: WireFactsRead): LoadedFacts {
  return {
    contextTokens: wire.contextTokens,
    slots: wire.slots,
    threads: wire.threads,
    gpuLayers: wire.gpuLayers,
    residentBytes: integerOrNull(wire.residentBytes, 'state.models.facts.resident_bytes'),
    vramBytes: integerOrNull(wire.vramBytes, 'state.models.facts.vram_bytes'),
    loadMs: parseFinite(wire.loadMs, 'state.models.facts.load_ms'),
  }
}
