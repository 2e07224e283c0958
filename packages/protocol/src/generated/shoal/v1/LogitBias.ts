// Original file: proto/shoal/v1/node.proto


export interface LogitBias {
  'biases'?: ({[key: string]: number | string});
}

export interface LogitBias__Output {
  'biases': ({[key: string]: number});
}
