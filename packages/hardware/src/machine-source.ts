import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** Which machine the readers look at: this one, or in tests a folder that holds another one's `/proc` and `/sys`. */
export interface MachineSource {
  /** Folder that stands for `/`. */
  readonly root: string
  /** As `process.platform`. */
  readonly platform: string
}

export const thisMachine: MachineSource = { root: '/', platform: process.platform }

/** Content of a small file without white space at its ends; null when it is missing, may not be read, or gives an error as many files in /sys do. */
export async function readText(source: MachineSource, file: string): Promise<string | null> {
  return readFile(path.join(source.root, file), 'utf8').then(
    (text) => text.trim(),
    () => null,
  )
}

/** Content as a finite number, or null. */
export async function readNumber(source: MachineSource, file: string): Promise<number | null> {
  const text = await readText(source, file)
  return text === null || text === '' || !Number.isFinite(Number(text)) ? null : Number(text)
}

/** Names in a folder, sorted; empty when there is none. */
export async function listNames(source: MachineSource, folder: string): Promise<readonly string[]> {
  return readdir(path.join(source.root, folder)).then(
    (names) => names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    () => [],
  )
}

/** `Key:  123 kB` of /proc/meminfo or /proc/PID/status in bytes; null when the key is not there. */
export function kibibytesOf(text: string, key: string): number | null {
  const value = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  return value === undefined ? null : Number(value) * 1024
}

/** Smallest of the values that are known; null when none is. */
export function smallestKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.min(...known)
}
