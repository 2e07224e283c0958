// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface DiskProfile {
  'path'?: (string);
  'totalBytes'?: (number | string | Long);
  'freeBytes'?: (number | string | Long);
}

export interface DiskProfile__Output {
  'path': (string);
  'totalBytes': (number);
  'freeBytes': (number);
}
