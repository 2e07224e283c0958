/** What the sender of a failed attempt may do: never again, at once on another node, or later. */
export type RetryPolicy = 'never' | 'other-node' | 'later'

interface ErrorRow {
  readonly http: number
  /** Name of the gRPC status code. */
  readonly grpc: GrpcStatusName
  /** `error.type` of the OpenAI error object. */
  readonly openAiType: 'invalid_request_error' | 'server_error' | 'rate_limit_error'
  /** `error.code` of the OpenAI error object. */
  readonly openAiCode: string
  readonly retry: RetryPolicy
  /** What a person can do about it; a message may name a better one. */
  readonly remedy: string
}

export type GrpcStatusName =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'ALREADY_EXISTS'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'

/** The one table of errors: code -> HTTP status, gRPC status, OpenAI type and code, retry policy, remedy. */
export const errorTable = {
  INVALID_REQUEST: row(400, 'INVALID_ARGUMENT', 'invalid_request_error', 'invalid_request', 'never', 'Correct the named field.'),
  INVALID_JSON: row(400, 'INVALID_ARGUMENT', 'invalid_request_error', 'invalid_json', 'never', 'Send a valid JSON body.'),
  UNSUPPORTED_PARAMETER: row(
    400,
    'UNIMPLEMENTED',
    'invalid_request_error',
    'unsupported_parameter',
    'never',
    'Leave the named parameter out.',
  ),
  CONTEXT_LENGTH_EXCEEDED: row(
    400,
    'INVALID_ARGUMENT',
    'invalid_request_error',
    'context_length_exceeded',
    'never',
    'Shorten the prompt, or deploy the model with a longer context.',
  ),
  BODY_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'invalid_request_error', 'body_too_large', 'never', 'Send a smaller body.'),
  UNSUPPORTED_MEDIA_TYPE: row(
    415,
    'INVALID_ARGUMENT',
    'invalid_request_error',
    'unsupported_media_type',
    'never',
    'Send content-type: application/json.',
  ),
  HOST_NOT_ALLOWED: row(
    403,
    'PERMISSION_DENIED',
    'invalid_request_error',
    'host_not_allowed',
    'never',
    'Call the gateway by localhost or 127.0.0.1; from elsewhere, through an SSH tunnel.',
  ),
  ROUTE_UNKNOWN: row(
    404,
    'UNIMPLEMENTED',
    'invalid_request_error',
    'unknown_url',
    'never',
    'See the README for the routes this server has.',
  ),
  METHOD_NOT_ALLOWED: row(
    405,
    'UNIMPLEMENTED',
    'invalid_request_error',
    'method_not_allowed',
    'never',
    'Use the method named in the allow header.',
  ),
  MODEL_UNKNOWN: row(
    404,
    'NOT_FOUND',
    'invalid_request_error',
    'model_not_found',
    'other-node',
    'List the models with GET /v1/models, or deploy one with: shoal deploy MODEL',
  ),
  NODE_UNKNOWN: row(404, 'NOT_FOUND', 'invalid_request_error', 'node_not_found', 'never', 'List the nodes with: shoal nodes'),
  MODEL_FILE_MISSING: row(
    404,
    'NOT_FOUND',
    'invalid_request_error',
    'model_file_missing',
    'other-node',
    'Check the path, or list what is there with: shoal models',
  ),
  MODEL_FILE_INVALID: row(
    422,
    'DATA_LOSS',
    'invalid_request_error',
    'model_file_invalid',
    'other-node',
    'Fetch the file again; it is not a whole, valid GGUF.',
  ),
  MODEL_DOES_NOT_FIT: row(
    422,
    'FAILED_PRECONDITION',
    'invalid_request_error',
    'model_does_not_fit',
    'other-node',
    'See every term with: shoal plan MODEL',
  ),
  QUEUE_FULL: row(429, 'RESOURCE_EXHAUSTED', 'rate_limit_error', 'queue_full', 'later', 'Try again after the time in Retry-After.'),
  NODE_BUSY: row(503, 'RESOURCE_EXHAUSTED', 'server_error', 'node_busy', 'other-node', 'Try again shortly.'),
  NODE_DRAINING: row(503, 'UNAVAILABLE', 'server_error', 'node_draining', 'other-node', 'Try again shortly.'),
  NO_NODE: row(503, 'UNAVAILABLE', 'server_error', 'no_node', 'later', 'Check the nodes with: shoal nodes'),
  NODE_LOST: row(502, 'UNAVAILABLE', 'server_error', 'node_lost', 'other-node', 'Send the request again.'),
  SLOW_READER: row(
    503,
    'RESOURCE_EXHAUSTED',
    'server_error',
    'slow_reader',
    'never',
    'Read the stream as it comes; only 64 KiB are kept for a reader that falls behind.',
  ),
  ENGINE_CRASHED: row(
    502,
    'ABORTED',
    'server_error',
    'engine_crashed',
    'other-node',
    'Send the request again; the engine is being restarted.',
  ),
  ENGINE_STUCK: row(502, 'ABORTED', 'server_error', 'engine_stuck', 'other-node', 'Send the request again; the engine is being replaced.'),
  ENGINE_UNAVAILABLE: row(503, 'UNAVAILABLE', 'server_error', 'engine_unavailable', 'other-node', 'Check this machine with: shoal doctor'),
  LOAD_FAILED: row(500, 'INTERNAL', 'server_error', 'load_failed', 'other-node', 'Check the agent log, and: shoal doctor'),
  DOWNLOAD_FAILED: row(
    502,
    'UNAVAILABLE',
    'server_error',
    'download_failed',
    'later',
    'Check the network; the download goes on where it stopped.',
  ),
  DIGEST_MISMATCH: row(502, 'DATA_LOSS', 'server_error', 'digest_mismatch', 'later', 'The file was removed; fetch it again.'),
  DISK_FULL: row(
    507,
    'RESOURCE_EXHAUSTED',
    'server_error',
    'disk_full',
    'other-node',
    'Free space in the models folder, or choose another with --models-dir.',
  ),
  STATE_INVALID: row(
    500,
    'FAILED_PRECONDITION',
    'server_error',
    'state_invalid',
    'never',
    'Restore the named file from a backup, or move it away.',
  ),
  PORT_IN_USE: row(500, 'ALREADY_EXISTS', 'server_error', 'port_in_use', 'never', 'Stop the other program, or choose another port.'),
  CANCELLED: row(499, 'CANCELLED', 'invalid_request_error', 'cancelled', 'never', 'The client went away.'),
  DEADLINE_EXCEEDED: row(504, 'DEADLINE_EXCEEDED', 'server_error', 'deadline_exceeded', 'later', 'Try again.'),
  USAGE: row(400, 'INVALID_ARGUMENT', 'invalid_request_error', 'usage', 'never', 'See: shoal --help'),
  INTERNAL: row(500, 'INTERNAL', 'server_error', 'internal_error', 'never', 'This is a defect; the log names the place.'),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorTable

export interface ShoalErrorFacts {
  readonly code: ErrorCode
  /** One sentence that names the thing and what is wrong with it. */
  readonly message: string
  /** Overrides the remedy of the table. */
  readonly remedy?: string
  /** Request parameter the error is about, as the client wrote it. */
  readonly param?: string
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** The one error class. Errors of outside libraries become one at the package that uses the library. */
export class ShoalError extends Error {
  readonly code: ErrorCode
  readonly remedy: string
  readonly param: string | null
  readonly retryAfterMs: number | null

  constructor(facts: ShoalErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'ShoalError'
    this.code = facts.code
    this.remedy = facts.remedy ?? errorTable[facts.code].remedy
    this.param = facts.param ?? null
    this.retryAfterMs = facts.retryAfterMs ?? null
  }

  get row(): ErrorRow {
    return errorTable[this.code]
  }

  /** Anything thrown -> ShoalError; what is not one already becomes INTERNAL with the original as cause. */
  static from(thrown: unknown): ShoalError {
    if (thrown instanceof ShoalError) return thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return new ShoalError({ code: 'INTERNAL', message, cause: thrown })
  }
}

export const isErrorCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(errorTable, value)

function row(
  http: number,
  grpc: GrpcStatusName,
  openAiType: ErrorRow['openAiType'],
  openAiCode: string,
  retry: RetryPolicy,
  remedy: string,
): ErrorRow {
  return { http, grpc, openAiType, openAiCode, retry, remedy }
}
