const hidden = new Set(['level', 'time', 'pid', 'name', 'msg'])

/** One JSON log line -> one line for people: `12:00:01 warn agent: message key=value`. A line that is not such an object passes as it is. */
export function prettyLine(line: string): string {
  const entry = parseEntry(line)
  if (entry === null) return line
  const time = typeof entry.time === 'string' ? entry.time.slice(11, 19) : ''
  const head = `${time} ${String(entry.level).padEnd(5)} ${String(entry.name)}: ${String(entry.msg)}`
  const fields = Object.entries(entry).filter(([key]) => !hidden.has(key))
  return `${[head, ...fields.map(([key, value]) => `${key}=${fieldText(value)}`)].join(' ')}\n`
}

function parseEntry(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  if (typeof value === 'object' && value !== null && 'message' in value && 'stack' in value) return JSON.stringify(value.message)
  return JSON.stringify(value)
}
