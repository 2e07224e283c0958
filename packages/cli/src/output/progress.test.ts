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

it('draws one line again and again on a terminal, and a new one for a new thing', () => {
  let text = ''
  const stream = { isTTY: true, columns: 60, write: (piece: string) => (text += piece) } as unknown as NodeJS.WriteStream
  const report = createProgressReport(stream)
  report.update('fetching m', 0.5, '1 of 2 GiB')
  report.update('fetching m', 1, 'a detail that is far too long for the width of this terminal')
  report.update('loading m', null)
  report.done()
  report.done()
  const lines = text.split('\n').map((line) => line.split('\r\u001b[K').filter((each) => each !== ''))
  expect(lines).toEqual([
    ['###############...............  50 %  fetching m: 1 of 2 GiB', '############################## 100 %  fetching m: a detail th'].map(
      (line) => line.slice(0, 59),
    ),
    ['..............................  loading m'],
    [],
  ])
})
