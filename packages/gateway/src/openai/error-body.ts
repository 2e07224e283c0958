import { ShoalError } from '@shoal/core'

/** OpenAI's error object; all four keys are always present. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

/** The message carries the remedy, because clients show nothing else. */
export function renderErrorBody(error: ShoalError): ErrorBody {
  const { openAiType, openAiCode } = error.row
  const sentence = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`
  const message = error.remedy === '' ? sentence : `${sentence} ${error.remedy}`
  return { error: { message, type: openAiType, param: error.param, code: openAiCode } }
}

/**
 * Defects are told apart from what the client can understand: the client gets no text of unknown origin, which might quote a prompt
 * or a path.
 */
export function toClientError(thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError && thrown.code !== 'INTERNAL') return thrown
  return new ShoalError({ code: 'INTERNAL', message: 'The gateway failed on this request.', cause: thrown })
}

/** `retry-after` in whole seconds and its precise sibling, for errors that say when to come back. */
export function retryHeaders(error: ShoalError): Record<string, string> {
  if (error.retryAfterMs === null) return {}
  return {
    'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))),
    'retry-after-ms': String(Math.ceil(error.retryAfterMs)),
  }
}
