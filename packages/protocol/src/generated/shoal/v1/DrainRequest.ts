// Original file: proto/shoal/v1/node.proto


export interface DrainRequest {
  'deadlineMs'?: (number);
}

export interface DrainRequest__Output {
  'deadlineMs': (number);
}
