import { readFile } from 'node:fs/promises'

/** Anonymous and file-backed resident bytes of this process as the kernel counts them; elsewhere what Node knows. */
export async function measureResidentBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kibibytes = ['RssAnon', 'RssFile'].map((key) => new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
  return kibibytes.every((value) => value !== undefined)
    ? kibibytes.reduce((sum, value) => sum + Number(value) * 1024, 0)
    : process.memoryUsage().rss
}
