import { Metadata, type StatusObject, status } from '@grpc/grpc-js'
import { type ErrorCode, ShoalError } from '@shoal/core'
import { cut, decodeErrorTrailer, encodeErrorTrailer, errorTrailerKey } from './codec/error-trailer.ts'

/** `grpc-message` is for people with other tools; the trailer carries the error. */
const detailsLengthMax = 256

/**
 * What a status without our trailer means. Such a status comes from gRPC itself or from something in between. Whatever is not
 * listed says that the call broke on the way (UNAVAILABLE, a reset stream as INTERNAL or CANCELLED): the node is lost.
 */
const codeOfStatus: Partial<Record<status, ErrorCode>> = {
  [status.INVALID_ARGUMENT]: 'INVALID_REQUEST',
  [status.NOT_FOUND]: 'MODEL_UNKNOWN',
  [status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [status.RESOURCE_EXHAUSTED]: 'NODE_BUSY',
  [status.FAILED_PRECONDITION]: 'MODEL_DOES_NOT_FIT',
  [status.ABORTED]: 'ENGINE_CRASHED',
  [status.DATA_LOSS]: 'MODEL_FILE_INVALID',
}

/** ShoalError -> what a gRPC server sends: the status of the table, a short text, and the error itself as a trailer. */
export function statusFromError(error: ShoalError): StatusObject {
  const metadata = new Metadata()
  metadata.set(errorTrailerKey, encodeErrorTrailer(error))
  return { code: status[error.row.grpc], details: cut(error.message, detailsLengthMax), metadata }
}

/** What a gRPC client received -> ShoalError. `address` names the node in messages that gRPC made. */
export function errorFromStatus(received: StatusObject, address: string): ShoalError {
  const [trailer] = received.metadata.get(errorTrailerKey)
  const carried = trailer instanceof Buffer ? decodeErrorTrailer(trailer) : null
  if (carried !== null) return carried
  const details = `${status[received.code] ?? received.code}: ${received.details}`
  // Only gRPC's own limit on messages says this; the status alone would read as a busy node.
  if (received.code === status.RESOURCE_EXHAUSTED && received.details.includes('larger than')) {
    return new ShoalError({ code: 'BODY_TOO_LARGE', message: `a message to or from node ${address} is too large (${details})` })
  }
  if (received.code === status.UNIMPLEMENTED) {
    return new ShoalError({
      code: 'NODE_LOST',
      message: `${address} does not answer as a node of this version (${details})`,
      remedy: 'Check that a Shoal agent of the same version listens there.',
    })
  }
  const code = codeOfStatus[received.code] ?? 'NODE_LOST'
  return new ShoalError({ code, message: `the call to node ${address} failed (${details})` })
}

/** What a decoder or a listener threw while an answer was read. A node that sends nonsense is as good as lost. */
export function errorFromAnswer(thrown: unknown, address: string): ShoalError {
  const error = ShoalError.from(thrown)
  if (error.code !== 'INVALID_REQUEST') return error
  return new ShoalError({ code: 'NODE_LOST', message: `node ${address} sent an invalid answer: ${error.message}`, cause: error })
}

/** A signal made by `AbortSignal.timeout` tells a deadline from a wish. */
export function errorFromAbort(signal: AbortSignal, address: string): ShoalError {
  const isDeadline = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
  return isDeadline
    ? new ShoalError({ code: 'DEADLINE_EXCEEDED', message: `node ${address} did not answer in time` })
    : new ShoalError({ code: 'CANCELLED', message: `the call to node ${address} was cancelled` })
}
