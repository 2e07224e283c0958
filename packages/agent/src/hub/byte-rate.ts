/** Bytes per second over the last few seconds of a transfer; null until a measurement is worth telling. */
export interface ByteRate {
  add(bytes: number, nowMs: number): void
  bytesPerSecond(nowMs: number): number | null
}

const windowMs = 5_000
const shortestMs = 500

export function createByteRate(): ByteRate {
  let samples: { readonly atMs: number; readonly bytes: number }[] = []
  return {
    add(bytes, nowMs) {
      const last = samples.at(-1)
      // One sample per tenth of a second is enough, and bounds the list whatever the chunk size.
      if (last !== undefined && nowMs - last.atMs < 100) samples[samples.length - 1] = { atMs: last.atMs, bytes: last.bytes + bytes }
      else samples.push({ atMs: nowMs, bytes })
      samples = samples.filter((sample) => nowMs - sample.atMs <= windowMs)
    },
    bytesPerSecond(nowMs) {
      const recent = samples.filter((sample) => nowMs - sample.atMs <= windowMs)
      const first = recent[0]
      if (first === undefined || nowMs - first.atMs < shortestMs) return null
      return (recent.reduce((sum, sample) => sum + sample.bytes, 0) * 1000) / (nowMs - first.atMs)
    },
  }
}
