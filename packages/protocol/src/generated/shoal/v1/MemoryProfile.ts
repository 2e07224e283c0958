// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface MemoryProfile {
  'totalBytes'?: (number | string | Long);
  'limitBytes'?: (number | string | Long);
  'availableBytes'?: (number | string | Long);
  'bandwidthBytesPerSecond'?: (number | string);
  '_bandwidthBytesPerSecond'?: "bandwidthBytesPerSecond";
}

export interface MemoryProfile__Output {
  'totalBytes': (number);
  'limitBytes': (number);
  'availableBytes': (number);
  'bandwidthBytesPerSecond'?: (number);
}
