import { describe, it } from 'vitest'
import { netnsAvailable } from './netns.ts'

/**
 * A `describe` for tests in namespaces. Where there are none it is skipped with the reason, or fails with it when REQUIRE_ALL=1.
 */
export function describeInNetns(title: string, body: () => void): void {
  describeWhen({ obstacle: netnsAvailable(), title, body })
}

export interface DescribeWhenOptions {
  /** Why the tests cannot run here; null = they can. */
  readonly obstacle: string | null
  readonly title: string
  readonly body: () => void
}

/** Runs, skips with the reason printed, or fails with it when REQUIRE_ALL=1. */
export function describeWhen({ obstacle, title, body }: DescribeWhenOptions): void {
  if (obstacle === null) {
    describe(title, body)
    return
  }
  if (process.env.REQUIRE_ALL === '1') {
    describe(title, () => {
      it('has what it needs on this machine', () => {
        throw new Error(`REQUIRE_ALL=1 is set, but ${obstacle}`)
      })
    })
    return
  }
  console.warn(`skipped: ${title}: ${obstacle}`)
  describe.skip(`${title} (skipped: ${obstacle})`, body)
}
