import { expect, test } from 'vitest'
import { readBattery } from './battery.ts'
import { type FileTree, jetson, laptop, startFixtureMachine } from './testing/machine-fixtures.ts'

const supply = 'sys/class/power_supply'

test.each<[string, FileTree, { charge: number | null; onMains: boolean | null } | null]>([
  // 80 % of 60 Wh and 20 % of 20 Wh; the mouse does not count
  ['a laptop with two batteries, unplugged', laptop, { charge: 0.65, onMains: false }],
  ['the same plugged in', { ...laptop, [`${supply}/AC/online`]: '1' }, { charge: 0.65, onMains: true }],
  [
    'charged over USB',
    { ...laptop, [`${supply}/ucsi-source-psy-USBC000:001/type`]: 'USB', [`${supply}/ucsi-source-psy-USBC000:001/online`]: '1' },
    { charge: 0.65, onMains: true },
  ],
  ['a board without one', jetson, null],
  ['a bay without its battery', { [`${supply}/BAT0/type`]: 'Battery', [`${supply}/BAT0/present`]: '0' }, null],
  [
    'a desktop with only a mouse',
    { [`${supply}/m/type`]: 'Battery', [`${supply}/m/scope`]: 'Device', [`${supply}/m/capacity`]: '50' },
    null,
  ],
  ['a battery that says nothing', { [`${supply}/BAT0/type`]: 'Battery' }, { charge: null, onMains: null }],
  [
    'no charger that reports, but a battery that charges',
    { [`${supply}/battery/type`]: 'Battery', [`${supply}/battery/capacity`]: '101', [`${supply}/battery/status`]: 'Charging' },
    { charge: 1, onMains: true },
  ],
])('%s', async (_name, tree, expected) => {
  await using machine = await startFixtureMachine(tree)
  expect(await readBattery(machine)).toEqual(
    expected === null ? null : { ...expected, charge: expected.charge === null ? null : expect.closeTo(expected.charge, 9) },
  )
})
