// Original file: proto/shoal/v1/node.proto


export interface LocalSource {
  'path'?: (string);
  '_path'?: "path";
}

export interface LocalSource__Output {
  'path'?: (string);
}
