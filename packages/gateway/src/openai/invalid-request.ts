import { ShoalError } from '@shoal/core'
import type { z } from 'zod'

/** The first problem a schema found, by the name the client used: `messages[0].content`. */
export function invalidRequest(error: z.ZodError): ShoalError {
  const issue = error.issues[0]
  const param = issue === undefined ? '' : renderPath(issue.path)
  const message = `${param === '' ? 'The request' : param}: ${issue?.message ?? 'is not valid'}.`
  return new ShoalError({ code: 'INVALID_REQUEST', message, ...(param === '' ? {} : { param }) })
}

function renderPath(path: readonly PropertyKey[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${String(step)}`
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
