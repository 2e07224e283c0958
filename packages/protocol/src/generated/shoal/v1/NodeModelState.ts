// Original file: proto/shoal/v1/node.proto

import type { LoadedFacts as _shoal_v1_LoadedFacts, LoadedFacts__Output as _shoal_v1_LoadedFacts__Output } from '../../shoal/v1/LoadedFacts.ts';
import type { Long } from '@grpc/proto-loader';

export interface NodeModelState {
  'modelId'?: (string);
  'status'?: (string);
  'progress'?: (number | string);
  'error'?: (string);
  'isDemo'?: (boolean);
  'sha256'?: (string);
  'slotsTotal'?: (number);
  'slotsUsed'?: (number);
  'contextTokens'?: (number);
  'tokensPerSecond'?: (number | string);
  'plannedBytes'?: (number | string | Long);
  'facts'?: (_shoal_v1_LoadedFacts | null);
  '_progress'?: "progress";
  '_error'?: "error";
  '_sha256'?: "sha256";
  '_tokensPerSecond'?: "tokensPerSecond";
  '_plannedBytes'?: "plannedBytes";
  '_facts'?: "facts";
}

export interface NodeModelState__Output {
  'modelId': (string);
  'status': (string);
  'progress'?: (number);
  'error'?: (string);
  'isDemo': (boolean);
  'sha256'?: (string);
  'slotsTotal': (number);
  'slotsUsed': (number);
  'contextTokens': (number);
  'tokensPerSecond'?: (number);
  'plannedBytes'?: (number);
  'facts'?: (_shoal_v1_LoadedFacts__Output | null);
}
