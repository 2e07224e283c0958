import { expect, it } from 'vitest'
import { formatBandwidth, formatBytes, formatShare, formatSpeed } from './format.ts'
import { renderTable } from './table.ts'

it.each([
  [null, 'unknown'],
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [5_680_522_464, '5.3 GiB'],
  [2 ** 40 * 300, '300 TiB'],
])('writes %j bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

it('never invents what is unknown', () => {
  expect([formatSpeed(null), formatBandwidth(null), formatShare(null)]).toEqual(['unknown', 'unknown', ''])
  expect([formatSpeed(7.26), formatSpeed(58.7), formatBandwidth(22.3e9), formatShare(0.426)]).toEqual([
    '7.3 tok/s',
    '59 tok/s',
    '22.3 GB/s',
    '43 %',
  ])
})

it('lines columns up without borders or trailing blanks', () => {
  const lines = renderTable(
    ['model', 'on'],
    [
      ['a', 'one'],
      ['a longer one', ''],
    ],
  ).split('\n')
  expect(lines).toEqual(['MODEL         ON', 'a             one', 'a longer one'])
})
