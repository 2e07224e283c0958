import Table from 'cli-table3'

export type OutputKind = 'table' | 'json'

/** Prints rows on stdout: a borderless table for people, or `value` as JSON for programs. */
export function printRows(kind: OutputKind, value: unknown, head: readonly string[], rows: readonly (readonly string[])[]): void {
  process.stdout.write(`${kind === 'json' ? JSON.stringify(value, null, 2) : renderTable(head, rows)}\n`)
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
