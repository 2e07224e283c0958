// Original file: proto/shoal/v1/node.proto

import type { NodeModelState as _shoal_v1_NodeModelState, NodeModelState__Output as _shoal_v1_NodeModelState__Output } from '../../shoal/v1/NodeModelState.ts';
import type { Long } from '@grpc/proto-loader';

export interface NodeState {
  'nodeId'?: (string);
  'incarnation'?: (string);
  'version'?: (number | string | Long);
  'draining'?: (boolean);
  'models'?: (_shoal_v1_NodeModelState)[];
}

export interface NodeState__Output {
  'nodeId': (string);
  'incarnation': (string);
  'version': (number);
  'draining': (boolean);
  'models': (_shoal_v1_NodeModelState__Output)[];
}
