// Original file: proto/shoal/v1/node.proto


export interface Finished {
  'reason'?: (string);
  'completionTokens'?: (number);
}

export interface Finished__Output {
  'reason': (string);
  'completionTokens': (number);
}
