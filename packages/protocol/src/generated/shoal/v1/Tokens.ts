// Original file: proto/shoal/v1/node.proto


export interface Tokens {
  'epoch'?: (number);
  'seq'?: (number);
  'tokenIds'?: (number)[];
  'text'?: (string);
}

export interface Tokens__Output {
  'epoch': (number);
  'seq': (number);
  'tokenIds': (number)[];
  'text': (string);
}
