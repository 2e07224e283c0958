import { expect, it } from 'vitest'
import { type ErrorCode, errorTable, isErrorCode, ShoalError } from './shoal-error.ts'

it.each(Object.entries(errorTable))('%s has a status in range, a remedy and a snake_case code for clients', (_code, row) => {
  expect(row.http).toBeGreaterThanOrEqual(400)
  expect(row.http).toBeLessThan(600)
  expect(row.openAiCode).toMatch(/^[a-z_]+$/)
  expect(row.remedy).toMatch(/\S/)
  // A client must not be told to correct what is not its fault.
  expect(row.openAiType === 'server_error').toBe(row.http >= 500)
})

it('gives every code a name of its own for clients, so that it can be told from the answer', () => {
  const names = Object.values(errorTable).map((row) => row.openAiCode)
  expect(new Set(names).size).toBe(names.length)
})

it('takes the remedy of the table unless a better one is given', () => {
  expect(new ShoalError({ code: 'NO_NODE', message: 'm' }).remedy).toBe(errorTable.NO_NODE.remedy)
  expect(new ShoalError({ code: 'NO_NODE', message: 'm', remedy: 'better' }).remedy).toBe('better')
})

it('keeps what was thrown as the cause, and itself as it is', () => {
  const cause = new TypeError('boom')
  expect(ShoalError.from(cause)).toMatchObject({ code: 'INTERNAL', message: 'boom', cause })
  const own = new ShoalError({ code: 'CANCELLED', message: 'gone' })
  expect(ShoalError.from(own)).toBe(own)
  expect(ShoalError.from('text').message).toBe('text')
})

it('knows its codes, and not what every object has', () => {
  const codes: ErrorCode[] = ['INTERNAL', 'QUEUE_FULL']
  expect(codes.every(isErrorCode)).toBe(true)
  for (const other of ['toString', '__proto__', 'nope', 1, null]) expect(isErrorCode(other)).toBe(false)
})
