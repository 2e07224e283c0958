// Original file: proto/shoal/v1/node.proto


export interface DemoSource {
}

export interface DemoSource__Output {
}
