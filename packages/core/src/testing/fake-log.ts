import type { Log, LogFields } from '../ports.ts'

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: LogFields
  readonly message: string
}

export interface FakeLog extends Log {
  readonly entries: LogEntry[]
}

/** Keeps what is logged, so that a test can look at it. */
export function createFakeLog(entries: LogEntry[] = [], base: LogFields = {}): FakeLog {
  const write = (level: LogEntry['level']) => (fields: LogFields, message: string) => {
    entries.push({ level, fields: { ...base, ...fields }, message })
  }
  return {
    entries,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => createFakeLog(entries, { ...base, ...fields }),
  }
}
