import { ShoalError } from '@shoal/core'
import type { z } from 'zod'

type Issue = z.ZodError['issues'][number]

/** The first problem a schema found in `body`, in plain words and by the name the client used: `messages[0].content must be ...`. */
export function invalidRequest(error: z.ZodError, body: unknown): ShoalError {
  const issue = error.issues[0]
  const param = issue === undefined ? '' : renderPath(issue.path)
  const problem = issue === undefined ? 'is not valid' : explainIssue(issue, valueAt(body, issue.path))
  if (param === '') return invalidBody(`The request body ${problem}.`)
  return new ShoalError({ code: 'INVALID_REQUEST', message: `${param} ${problem}.`, param })
}

/** For a body that is wrong as a whole, where no field can be named. */
export function invalidBody(message: string): ShoalError {
  return new ShoalError({ code: 'INVALID_REQUEST', message, remedy: 'Send a JSON object, as {"model": ...}.' })
}

/** What comes after the field's name. Values are not quoted: they may be prompts. Messages written in a schema are such endings already. */
function explainIssue(issue: Issue, value: unknown): string {
  const isMissing = value === undefined && issue.code !== 'unrecognized_keys'
  if (isMissing && issue.path.length > 0 && issue.code !== 'invalid_key') return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${expectedNames[issue.expected] ?? issue.expected}, got ${kindOf(value)}`
    case 'invalid_value':
      return `must be one of ${issue.values.map((each) => JSON.stringify(each)).join(', ')}`
    case 'too_small':
      return explainBound(issue.origin, issue.minimum, issue.inclusive === false ? 'more than' : 'at least')
    case 'too_big':
      return explainBound(issue.origin, issue.maximum, issue.inclusive === false ? 'less than' : 'at most')
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'has a key that is not valid'
    case 'custom':
    case 'invalid_union':
    case 'invalid_format':
      return issue.message
    default:
      return 'is not valid'
  }
}

const expectedNames: Readonly<Record<string, string>> = {
  string: 'a string',
  array: 'an array',
  object: 'an object',
  record: 'an object',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
}

/** What length is counted in; anything else is a number and has a size of its own. */
const units: Readonly<Record<string, string>> = { string: 'character', array: 'item' }

function explainBound(origin: string, bound: number | bigint, relation: string): string {
  const unit = units[origin]
  if (unit === undefined) return `must be ${relation} ${bound}`
  if (relation === 'at least' && Number(bound) === 1) return 'must not be empty'
  return `must have ${relation} ${bound} ${unit}${Number(bound) === 1 ? '' : 's'}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value !== 'number') return typeof value
  if (!Number.isFinite(value)) return 'a number beyond all limits'
  return Number.isInteger(value) ? 'number' : 'a number with a fraction'
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let value = body
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step]
  }
  return value
}

function renderPath(path: readonly PropertyKey[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${String(step)}`
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
