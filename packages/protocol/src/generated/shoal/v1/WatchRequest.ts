// Original file: proto/shoal/v1/node.proto


export interface WatchRequest {
  'heartbeatMs'?: (number);
}

export interface WatchRequest__Output {
  'heartbeatMs': (number);
}
