// Original file: proto/shoal/v1/node.proto


export interface DescribeRequest {
}

export interface DescribeRequest__Output {
}
