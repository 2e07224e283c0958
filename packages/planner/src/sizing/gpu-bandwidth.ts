/**
 * Memory bandwidth of GPUs by name, in GB/s, as their makers specify it (theoretical). A driver does not tell it. Names are matched as whole
 * words, the longest first. Where one name is sold with several memory widths the wider one is given.
 */
const gigabytesPerSecond: Readonly<Record<string, number>> = {
  'RTX 3060': 360,
  'RTX 3060 Ti': 448,
  'RTX 3090': 936,
  'RTX 4060': 272,
  'RTX 4060 Ti': 288,
  'RTX 4090': 1008,
  'RTX 5070': 672,
  'RTX 5090': 1792,
  'GTX 1050 Ti': 112,
  'Tesla T4': 320,
  GB10: 273,
  'RX 7900 XT': 800,
  'RX 7900 XTX': 960,
  'Orin Nano': 68,
  'Orin Nano Super': 102,
  'AGX Orin': 204.8,
  'Radeon 8060S': 256,
  'STRIX HALO': 256,
  'Ryzen AI Max+ 395': 256,
  'Apple M1': 68,
  'Apple M1 Pro': 200,
  'Apple M1 Max': 400,
  'Apple M1 Ultra': 800,
  'Apple M2': 100,
  'Apple M2 Pro': 200,
  'Apple M2 Max': 400,
  'Apple M2 Ultra': 800,
  'Apple M3': 100,
  'Apple M3 Pro': 150,
  'Apple M3 Max': 400,
  'Apple M4': 120,
  'Apple M4 Pro': 273,
  'Apple M4 Max': 546,
  'Apple M5': 153.6,
  'Apple M5 Pro': 307,
  'Apple M5 Max': 614,
}

const words = (text: string): string =>
  ` ${text
    .toLowerCase()
    .replace(/[^a-z0-9+]+/g, ' ')
    .trim()} `

const namesLongestFirst = Object.entries(gigabytesPerSecond)
  .map(([name, value]) => ({ name: words(name), value }))
  .sort((a, b) => b.name.length - a.name.length)

/** Words after a known name that make it another product with another memory. */
const otherProducts = [' laptop ', ' mobile ', ' max q ', ' super ', ' ti ', ' d ', ' gre ', ' xtx ', ' ultra ', ' max ', ' pro ']

/**
 * Bytes per second, or null for a GPU the table does not know and for variants of known names. `A + B` names several GPUs: layers run one after
 * the other, so the slowest is a safe figure for all.
 */
export function gpuBandwidthBytesPerSecond(name: string): number | null {
  const each = name.split(' + ').map(bandwidthOfOne)
  return each.includes(null) ? null : Math.min(...each.filter((value) => value !== null))
}

function bandwidthOfOne(name: string): number | null {
  const text = words(name)
  const found = namesLongestFirst.find((known) => text.includes(known.name))
  if (found === undefined) return null
  const rest = text.replace(found.name, '  ')
  return otherProducts.some((word) => rest.includes(word)) ? null : found.value * 1e9
}
