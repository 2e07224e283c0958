const single = new Float32Array(1)
const bits = new Uint32Array(single.buffer)

/** Nearest IEEE half of a number, as its 16 bits, ties to even; beyond 65504 infinity. */
export function halfBits(value: number): number {
  single[0] = value
  const word = bits[0] ?? 0
  const sign = (word >>> 16) & 0x8000
  const exponent = (word >>> 23) & 0xff
  const fraction = word & 0x7fffff
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200)
  const shifted = exponent - 112
  if (shifted >= 31) return sign | 0x7c00
  if (shifted > 0) return sign | rounded((shifted << 23) | fraction, 13)
  // Subnormal halves: the hidden one becomes a stored bit; below half of the smallest it is zero.
  return shifted < -10 ? sign : sign | rounded(fraction | 0x800000, 14 - shifted)
}

/** `value` without its lowest `drop` bits, rounded to the nearest, ties to even. A carry moves into the exponent, which is what IEEE wants. */
function rounded(value: number, drop: number): number {
  const kept = value >>> drop
  const rest = value & ((1 << drop) - 1)
  const half = 1 << (drop - 1)
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept
}
