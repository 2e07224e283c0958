import { expect, it } from 'vitest'
import { createProgressReport } from './progress.ts'

it('writes a line for every tenth where there is no terminal', () => {
  let text = ''
  const stream = { isTTY: false, write: (piece: string) => (text += piece) } as unknown as NodeJS.WriteStream
  const report = createProgressReport(stream)
  report.update('fetching m', null)
  for (const share of [0, 0.01, 0.05, 0.1, 0.11, 0.95, 1]) report.update('fetching m', share, `${share * 100} of 100`)
  report.done()
  expect(text.split('\n')).toEqual([
    'shoal: fetching m',
    'shoal: fetching m 0 % (0 of 100)',
    'shoal: fetching m 10 % (10 of 100)',
    'shoal: fetching m 90 % (95 of 100)',
    'shoal: fetching m 100 % (100 of 100)',
    '',
  ])
})
