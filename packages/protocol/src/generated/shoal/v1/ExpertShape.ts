// Original file: proto/shoal/v1/node.proto


export interface ExpertShape {
  'count'?: (number);
  'usedCount'?: (number);
  'feedForwardLength'?: (number);
  '_feedForwardLength'?: "feedForwardLength";
}

export interface ExpertShape__Output {
  'count': (number);
  'usedCount': (number);
  'feedForwardLength'?: (number);
}
