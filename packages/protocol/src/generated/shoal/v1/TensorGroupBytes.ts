// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface TensorGroupBytes {
  'embedding'?: (number | string | Long);
  'output'?: (number | string | Long);
  'attention'?: (number | string | Long);
  'feedForward'?: (number | string | Long);
  'experts'?: (number | string | Long);
  'other'?: (number | string | Long);
}

export interface TensorGroupBytes__Output {
  'embedding': (number);
  'output': (number);
  'attention': (number);
  'feedForward': (number);
  'experts': (number);
  'other': (number);
}
