import Table from 'cli-table3'

export type OutputKind = 'table' | 'json'

export interface Rows {
  readonly kind: OutputKind
  /** What programs get. */
  readonly value: unknown
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Said to people in place of a table without rows. */
  readonly whenEmpty: string
}

/** Prints rows on stdout: a borderless table for people, or `value` as JSON for programs. */
export function printRows({ kind, value, head, rows, whenEmpty }: Rows): void {
  const text = kind === 'json' ? JSON.stringify(value, null, 2) : rows.length === 0 ? whenEmpty : renderTable(head, rows)
  process.stdout.write(`${text}\n`)
}

export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = ''
  const table = new Table({
    head: head.map((each) => each.toUpperCase()),
    chars: {
      top: none,
      'top-mid': none,
      'top-left': none,
      'top-right': none,
      bottom: none,
      'bottom-mid': none,
      'bottom-left': none,
      'bottom-right': none,
      left: none,
      'left-mid': none,
      mid: none,
      'mid-mid': none,
      right: none,
      'right-mid': none,
      middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push([...row])
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
