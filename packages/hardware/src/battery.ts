import type { BatteryProfile } from '@shoal/core'
import { listNames, type MachineSource, readNumber, readText, thisMachine } from './machine-source.ts'

interface Battery {
  /** 0 to 1. */
  readonly charge: number | null
  /** Energy when full, in any unit common to the machine's batteries: its weight in the mean. */
  readonly fullUnits: number | null
  readonly status: string
}

/** The machine's own batteries together; null = it has none, or the system does not say. Batteries of mice and headsets are not counted. */
export async function readBattery(source: MachineSource = thisMachine): Promise<BatteryProfile | null> {
  if (source.platform === 'linux') return readPowerSupplies(source)
  const { battery } = await import('systeminformation')
  const found = await battery()
  return found.hasBattery ? { charge: found.percent / 100, onMains: found.acConnected } : null
}

/** Documentation/ABI/testing/sysfs-class-power of the Linux kernel. */
async function readPowerSupplies(source: MachineSource): Promise<BatteryProfile | null> {
  const names = await listNames(source, '/sys/class/power_supply')
  const supplies = await Promise.all(
    names.map(async (name) => {
      const folder = `/sys/class/power_supply/${name}`
      const [type, scope, online] = await Promise.all([
        readText(source, `${folder}/type`),
        readText(source, `${folder}/scope`),
        readNumber(source, `${folder}/online`),
      ])
      return { folder, type, isPeripheral: scope === 'Device', online }
    }),
  )
  const machine = supplies.filter((supply) => !supply.isPeripheral)
  const batteries = (
    await Promise.all(machine.filter((supply) => supply.type === 'Battery').map((supply) => readOne(source, supply.folder)))
  ).filter((battery) => battery !== null)
  if (batteries.length === 0) return null
  const chargers = machine.filter((supply) => supply.type !== 'Battery' && supply.online !== null)
  return {
    charge: meanCharge(batteries),
    onMains: isOnMains(
      chargers.map((charger) => charger.online === 0),
      batteries,
    ),
  }
}

async function readOne(source: MachineSource, folder: string): Promise<Battery | null> {
  const [present, capacity, status, energyFull, chargeFull] = await Promise.all([
    readNumber(source, `${folder}/present`),
    readNumber(source, `${folder}/capacity`),
    readText(source, `${folder}/status`),
    readNumber(source, `${folder}/energy_full`),
    readNumber(source, `${folder}/charge_full`),
  ])
  if (present === 0) return null
  return {
    charge: capacity === null ? null : Math.min(1, Math.max(0, capacity / 100)),
    fullUnits: energyFull ?? chargeFull,
    status: status ?? 'Unknown',
  }
}

function meanCharge(batteries: readonly Battery[]): number | null {
  const known = batteries.flatMap(({ charge, fullUnits }) => (charge === null ? [] : [{ charge, fullUnits }]))
  if (known.length === 0) return null
  const weights = known.every(({ fullUnits }) => fullUnits !== null && fullUnits > 0)
    ? known.map(({ fullUnits }) => fullUnits ?? 1)
    : known.map(() => 1)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return known.reduce((sum, { charge }, index) => sum + charge * (weights[index] ?? 0), 0) / total
}

/** A charger that is plugged in decides; without any that reports, the batteries' own word does. */
function isOnMains(chargersOff: readonly boolean[], batteries: readonly Battery[]): boolean | null {
  if (chargersOff.some((off) => !off)) return true
  if (batteries.some(({ status }) => status === 'Discharging')) return false
  if (batteries.some(({ status }) => status === 'Charging' || status === 'Full' || status === 'Not charging')) return true
  return chargersOff.length > 0 ? false : null
}
