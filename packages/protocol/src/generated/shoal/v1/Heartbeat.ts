// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface Heartbeat {
  'completedDecodes'?: (number | string | Long);
  'runningDecodeAgeMs'?: (number | string);
  '_runningDecodeAgeMs'?: "runningDecodeAgeMs";
}

export interface Heartbeat__Output {
  'completedDecodes': (number);
  'runningDecodeAgeMs'?: (number);
}
