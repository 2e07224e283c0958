import { type NodeDescription, nodeId } from '@shoal/core'
import type { DescribeResponse as Wire, DescribeResponse__Output as WireRead } from '../generated/shoal/v1/DescribeResponse.ts'
import { encodeLocalModel, parseLocalModel } from './model-manifest.ts'
import { encodeNodeProfile, parseNodeProfile } from './node-profile.ts'
import { requireMessage, requireText } from './parse.ts'

export function encodeNodeDescription(description: NodeDescription): Wire {
  return {
    nodeId: description.nodeId,
    protocolVersion: description.protocolVersion,
    shoalVersion: description.shoalVersion,
    profile: encodeNodeProfile(description.profile),
    localModels: description.localModels.map(encodeLocalModel),
  }
}

export function parseNodeDescription(wire: WireRead): NodeDescription {
  return {
    nodeId: nodeId(requireText(wire.nodeId, 'node_id')),
    protocolVersion: wire.protocolVersion,
    shoalVersion: wire.shoalVersion,
    profile: parseNodeProfile(requireMessage(wire.profile, 'profile')),
    localModels: wire.localModels.map(parseLocalModel),
  }
}
