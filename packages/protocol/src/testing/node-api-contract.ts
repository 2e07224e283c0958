import { describe } from 'vitest'
import { describeQuestions, describeWatch } from './contract/calls.ts'
import { describeCancelling } from './contract/cancelling.ts'
import { describeErrors } from './contract/errors.ts'
import type { ConnectNodeApi } from './contract/fixtures.ts'
import { describeGenerate } from './contract/generate.ts'

/** What every way to reach a node promises, whatever carries the calls. */
export function describeNodeApiContract(name: string, connect: ConnectNodeApi): void {
  describe(`${name}: a NodeApi at the other end of a transport`, () => {
    describeQuestions(connect)
    describeWatch(connect)
    describeGenerate(connect)
    describeErrors(connect)
    describeCancelling(connect)
  })
}
