// Original file: proto/shoal/v1/node.proto

import type { NodeModelState as _shoal_v1_NodeModelState, NodeModelState__Output as _shoal_v1_NodeModelState__Output } from '../../shoal/v1/NodeModelState.ts';

export interface LoadModelResponse {
  'state'?: (_shoal_v1_NodeModelState | null);
  'isResult'?: (boolean);
}

export interface LoadModelResponse__Output {
  'state': (_shoal_v1_NodeModelState__Output | null);
  'isResult': (boolean);
}
