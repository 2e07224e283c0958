// Original file: proto/shoal/v1/node.proto


export interface InstructionSets {
  'names'?: (string)[];
}

export interface InstructionSets__Output {
  'names': (string)[];
}
