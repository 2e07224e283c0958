// Original file: proto/shoal/v1/node.proto

import type { NodeProfile as _shoal_v1_NodeProfile, NodeProfile__Output as _shoal_v1_NodeProfile__Output } from '../../shoal/v1/NodeProfile.ts';
import type { LocalModel as _shoal_v1_LocalModel, LocalModel__Output as _shoal_v1_LocalModel__Output } from '../../shoal/v1/LocalModel.ts';

export interface DescribeResponse {
  'nodeId'?: (string);
  'protocolVersion'?: (number);
  'shoalVersion'?: (string);
  'profile'?: (_shoal_v1_NodeProfile | null);
  'localModels'?: (_shoal_v1_LocalModel)[];
}

export interface DescribeResponse__Output {
  'nodeId': (string);
  'protocolVersion': (number);
  'shoalVersion': (string);
  'profile': (_shoal_v1_NodeProfile__Output | null);
  'localModels': (_shoal_v1_LocalModel__Output)[];
}
