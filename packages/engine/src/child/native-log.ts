import type { LlamaLogLevel } from 'node-llama-cpp'

export interface NativeLog {
  /** Logger for node-llama-cpp. */
  readonly write: (level: LlamaLogLevel, message: string) => void
  /** The last reason llama.cpp wrote for an error: it says why a load failed, which the thrown error does not. */
  lastError(): string | null
}

/** What llama.cpp writes after the line with the reason, which says no more than that there was one. */
const summary = /failed to load model$/
/** Names of its functions in front of a message. */
const origin = /^\w+: (error loading model: )?/

/** Keeps errors and warnings of the native code, one level lower: what matters of them is thrown as well. The rest is chatter. */
export function createNativeLog(forward: (level: 'debug' | 'warn', message: string) => void): NativeLog {
  let last: string | null = null
  return {
    write(level, message) {
      const text = message.trim()
      if (text === '') return
      if (level === 'fatal' || level === 'error') {
        if (!summary.test(text)) last = text.replace(origin, '')
        forward('warn', text)
      } else if (level === 'warn') forward('debug', text)
    },
    lastError: () => last,
  }
}
