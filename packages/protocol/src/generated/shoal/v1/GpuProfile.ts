// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface GpuProfile {
  'name'?: (string);
  'backend'?: (string);
  'vramTotalBytes'?: (number | string | Long);
  'vramFreeBytes'?: (number | string | Long);
  'unifiedMemory'?: (boolean);
  '_vramTotalBytes'?: "vramTotalBytes";
  '_vramFreeBytes'?: "vramFreeBytes";
}

export interface GpuProfile__Output {
  'name': (string);
  'backend': (string);
  'vramTotalBytes'?: (number);
  'vramFreeBytes'?: (number);
  'unifiedMemory': (boolean);
}
