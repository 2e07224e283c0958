import { ShoalError } from '@shoal/core'

/** What every decoder of this package throws: the other end sent something outside the contract. */
export function invalidField(field: string, problem: string): ShoalError {
  return new ShoalError({ code: 'INVALID_REQUEST', message: `${field} ${problem}`, param: field })
}

export function requireMessage<T>(value: T | null | undefined, field: string): T {
  if (value === null || value === undefined) throw invalidField(field, 'is missing')
  return value
}

export function requireText(value: string, field: string): string {
  if (value === '') throw invalidField(field, 'is empty')
  return value
}

export function parseOneOf<T extends string>(value: string, allowed: readonly T[], field: string): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw invalidField(field, `is not one of ${allowed.join(', ')}`)
  return found
}

/** For 64-bit fields, which become JS numbers: beyond 2^53 they would silently be another number. */
export function parseInteger(value: number, field: string): number {
  if (!Number.isSafeInteger(value)) throw invalidField(field, 'is beyond 2^53')
  return value
}

export function parseFinite(value: number, field: string): number {
  if (!Number.isFinite(value)) throw invalidField(field, 'is not a finite number')
  return value
}

export const integerOrNull = (value: number | null | undefined, field: string): number | null =>
  value === null || value === undefined ? null : parseInteger(value, field)

export const finiteOrNull = (value: number | null | undefined, field: string): number | null =>
  value === null || value === undefined ? null : parseFinite(value, field)
