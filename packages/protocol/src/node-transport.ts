/** One method of a service with its codec, as the loader makes it. A unary method is a stream of exactly one message. */
export interface WireMethod<Request, RequestRead, Response, ResponseRead> {
  readonly path: string
  readonly requestSerialize: (message: Request) => Buffer
  readonly requestDeserialize: (bytes: Buffer) => RequestRead
  readonly responseSerialize: (message: Response) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => ResponseRead
}

export interface WireCall<Request, ResponseRead> {
  readonly method: WireMethod<Request, unknown, never, ResponseRead>
  readonly request: Request
  /** A throw cancels the call and rejects it. */
  readonly onMessage: (message: ResponseRead) => void
  readonly signal: AbortSignal
}

/** Carries calls to one node: gRPC or memory. */
export interface NodeTransport {
  /** Names the node in messages to people. */
  readonly address: string
  /** Resolves after the last message of a call that ended well; rejects with ShoalError, CANCELLED as soon as the signal fires. */
  call<Request, ResponseRead>(call: WireCall<Request, ResponseRead>): Promise<void>
}
