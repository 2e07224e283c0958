import { type LoadModelCommand, type ModelSource, modelId } from '@shoal/core'
import type { HubSource as WireHub } from '../generated/shoal/v1/HubSource.ts'
import type { LoadModelRequest as Wire, LoadModelRequest__Output as WireRead } from '../generated/shoal/v1/LoadModelRequest.ts'
import { integerOrNull, invalidField, requireText } from './parse.ts'

export function encodeLoadModelCommand(command: LoadModelCommand): Wire {
  const wire: Wire = { modelId: command.modelId }
  const { source } = command
  switch (source.kind) {
    case 'local':
      wire.local = source.path === null ? {} : { path: source.path }
      break
    case 'hub':
      wire.hub = encodeHub(source)
      break
    case 'demo':
      wire.demo = {}
      break
  }
  if (command.contextTokens !== null) wire.contextTokens = command.contextTokens
  if (command.slots !== null) wire.slots = command.slots
  return wire
}

export function parseLoadModelCommand(wire: WireRead): LoadModelCommand {
  return {
    modelId: modelId(requireText(wire.modelId, 'model_id')),
    source: parseSource(wire),
    contextTokens: wire.contextTokens ?? null,
    slots: wire.slots ?? null,
  }
}

function encodeHub(source: Extract<ModelSource, { kind: 'hub' }>): WireHub {
  const wire: WireHub = { repo: source.repo, file: source.file }
  if (source.revision !== null) wire.revision = source.revision
  if (source.bytes !== null) wire.bytes = source.bytes
  if (source.sha256 !== null) wire.sha256 = source.sha256
  return wire
}

function parseSource(wire: WireRead): ModelSource {
  const { local, hub, demo } = wire
  if (local) return { kind: 'local', path: local.path ?? null }
  if (demo) return { kind: 'demo' }
  if (!hub) throw invalidField('source', 'is missing')
  return {
    kind: 'hub',
    repo: requireText(hub.repo, 'hub.repo'),
    file: requireText(hub.file, 'hub.file'),
    revision: hub.revision ?? null,
    bytes: integerOrNull(hub.bytes, 'hub.bytes'),
    sha256: hub.sha256 ?? null,
  }
}
