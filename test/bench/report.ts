/** Middle value; mean of the two middle ones for an even count. Throws for none: a bench without samples is a defect. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear-interpolated quantile, q from 0 to 1. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * q
  const low = sorted[Math.floor(position)]
  const high = sorted[Math.ceil(position)]
  if (low === undefined || high === undefined) throw new Error('no samples')
  return low + (high - low) * (position - Math.floor(position))
}

/** Three significant digits, as a number: what the closing JSON line carries. */
export const rounded = (value: number): number => Number(value.toPrecision(3))

/** Runs every variant once per round, in turn, so that drift of the machine meets all of them alike. */
export async function interleave<Name extends string>(
  rounds: number,
  variants: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(variants) as Name[]
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>
  for (let round = 0; round < rounds; round++) {
    // Every other round backwards: who runs first gains nothing.
    for (const name of round % 2 === 0 ? names : [...names].reverse()) samples[name].push(await variants[name]())
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
  }
  return samples
}

/** A table for people, then the one line for programs. */
export function report(
  title: string,
  rows: readonly Readonly<Record<string, string | number>>[],
  line: Readonly<Record<string, unknown>>,
): void {
  console.log(title)
  console.table(rows)
  console.log(JSON.stringify(line))
}
