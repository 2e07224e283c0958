// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface LoadedFacts {
  'contextTokens'?: (number);
  'slots'?: (number);
  'threads'?: (number);
  'gpuLayers'?: (number);
  'residentBytes'?: (number | string | Long);
  'vramBytes'?: (number | string | Long);
  'loadMs'?: (number | string);
  '_residentBytes'?: "residentBytes";
  '_vramBytes'?: "vramBytes";
}

export interface LoadedFacts__Output {
  'contextTokens': (number);
  'slots': (number);
  'threads': (number);
  'gpuLayers': (number);
  'residentBytes'?: (number);
  'vramBytes'?: (number);
  'loadMs': (number);
}
