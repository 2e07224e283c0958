/** 1536 -> `1.5 KiB`; null -> `unknown`. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return 'unknown'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** Tokens per second for people; null -> `unknown`. */
export const formatSpeed = (tokensPerSecond: number | null): string =>
  tokensPerSecond === null ? 'unknown' : `${tokensPerSecond >= 10 ? Math.round(tokensPerSecond) : tokensPerSecond.toFixed(1)} tok/s`

/** 0 to 1 -> `42 %`; null -> empty. */
export const formatShare = (share: number | null): string => (share === null ? '' : `${Math.round(share * 100)} %`)

/** Bytes per second as `GB/s`, the unit memory vendors print; null -> `unknown`. */
export const formatBandwidth = (bytesPerSecond: number | null): string =>
  bytesPerSecond === null ? 'unknown' : `${(bytesPerSecond / 1e9).toFixed(1)} GB/s`
