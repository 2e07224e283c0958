// Original file: proto/shoal/v1/node.proto


export interface Accepted {
  'promptTokens'?: (number);
  'cachedTokens'?: (number);
  'promptTokenIds'?: (number)[];
}

export interface Accepted__Output {
  'promptTokens': (number);
  'cachedTokens': (number);
  'promptTokenIds': (number)[];
}
