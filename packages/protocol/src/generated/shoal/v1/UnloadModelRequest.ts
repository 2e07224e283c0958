// Original file: proto/shoal/v1/node.proto


export interface UnloadModelRequest {
  'modelId'?: (string);
}

export interface UnloadModelRequest__Output {
  'modelId': (string);
}
