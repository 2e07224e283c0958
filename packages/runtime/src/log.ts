import type { Log } from '@shoal/core'
import pino from 'pino'
import { prettyLine } from './pretty-line.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** Which program or part speaks. */
  readonly name: string
  /** Lines for people instead of JSON. */
  readonly pretty?: boolean
  /** Takes whole lines; stderr unless given. */
  readonly destination?: { write(line: string): unknown }
}

const secretKeys = ['authorization', 'Authorization', 'x-api-key', 'api-key', 'cookie', 'messages', 'prompt', 'content', 'text']
// Fields are shallow by convention; four levels cover a request or a header map inside an error inside a field.
const redactPaths = secretKeys.flatMap((key) => ['', '*', '*.*', '*.*.*'].map((prefix) => `${prefix}["${key}"]`))

/**
 * Structured log on stderr (data goes to stdout), one JSON object a line. Secrets and conversation text are redacted by key name
 * down to four levels: a net under the rule that nobody logs them. Writes are synchronous, so that the last line before a crash or
 * an exit is there.
 */
export function createLog({ level, name, pretty = false, destination }: LogOptions): Log {
  const sink = destination ?? stderr()
  const stream = pretty
    ? { write: (line: string) => void sink.write(prettyLine(line)) }
    : { write: (line: string) => void sink.write(line) }
  const logger = pino(
    {
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
      redact: { paths: redactPaths, censor: '[redacted]' },
    },
    stream,
  )
  return wrap(logger)
}

/** Lines held while stderr takes none; newer ones are dropped. */
const unwrittenBytesMax = 1024 * 1024

function stderr(): { write(line: string): unknown } {
  const sink = pino.destination({ dest: 2, sync: true, maxLength: unwrittenBytesMax })
  // A full disk behind stderr loses lines; without a listener it would end the program.
  sink.on('error', () => undefined)
  return sink
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => wrap(logger.child(fields)),
  }
}
