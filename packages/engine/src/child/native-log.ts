import type { LlamaLogLevel } from 'node-llama-cpp'

export interface NativeLog {
  /** Logger for node-llama-cpp. */
  readonly write: (level: LlamaLogLevel, message: string) => void
  /** The last error llama.cpp wrote: it says why a load failed, which the thrown error does not. */
  lastError(): string | null
}

/** Keeps warnings and errors of the native code; the rest is chatter. */
export function createNativeLog(forward: (level: 'warn' | 'error', message: string) => void): NativeLog {
  let last: string | null = null
  return {
    write(level, message) {
      const text = message.trim()
      if (text === '') return
      if (level === 'fatal' || level === 'error') {
        last = text
        forward('error', text)
      } else if (level === 'warn') forward('warn', text)
    },
    lastError: () => last,
  }
}
