// Original file: proto/shoal/v1/node.proto


export interface UnloadModelResponse {
}

export interface UnloadModelResponse__Output {
}
