// Original file: proto/shoal/v1/node.proto


export interface DrainResponse {
  'unfinished'?: (number);
}

export interface DrainResponse__Output {
  'unfinished': (number);
}
