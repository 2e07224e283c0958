// Original file: proto/shoal/v1/node.proto

import type { NodeState as _shoal_v1_NodeState, NodeState__Output as _shoal_v1_NodeState__Output } from '../../shoal/v1/NodeState.ts';

export interface WatchResponse {
  'state'?: (_shoal_v1_NodeState | null);
}

export interface WatchResponse__Output {
  'state': (_shoal_v1_NodeState__Output | null);
}
