import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '@shoal/core'
import { isErrno } from '../time.ts'
import { isProjector, parseSplitPart, splitSetPaths } from './model-names.ts'

/** One model on disk: a GGUF, or all parts of a split one. Nothing of its content was looked at. */
export interface ModelFileSet {
  /** Absolute path of the (first part of the) file. */
  readonly path: string
  /** The same, relative to the folder that was scanned. */
  readonly relativePath: string
  /** All parts, the first first. */
  readonly parts: readonly string[]
  /** Of all parts that are there. */
  readonly bytes: number
  /** Latest change of any part, milliseconds since 1970. */
  readonly mtimeMs: number
  readonly missingParts: readonly string[]
}

const depthMax = 6
const filesMax = 10_000

/**
 * Every GGUF below `directory`, sorted by path; split sets count once, projectors and hidden folders not at all. Links are followed.
 * A folder that does not exist is empty; one that cannot be read is passed over with a warning.
 */
export async function scanModelFiles(directory: string, log: Log): Promise<readonly ModelFileSet[]> {
  const found: string[] = []
  await walk({ directory, depth: 0, found, visited: new Set(), log })
  const heads = found.filter((file) => !isProjector(file) && isHead(file, found))
  const sets = await Promise.all(heads.map((head) => describeFileSet(head, directory)))
  return sets.filter((set) => set !== null).sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The set a single file belongs to, wherever it lies; null when the file is not there. */
export async function describeFileSet(file: string, directory = path.dirname(file)): Promise<ModelFileSet | null> {
  const parts = splitSetPaths(file)
  const stats = await Promise.all(parts.map(statOrNull))
  const [head] = parts
  if (head === undefined || stats.every((each) => each === null)) return null
  return {
    path: head,
    relativePath: path.relative(directory, head),
    parts,
    bytes: stats.reduce((sum, each) => sum + (each?.size ?? 0), 0),
    mtimeMs: Math.max(...stats.map((each) => each?.mtimeMs ?? 0)),
    missingParts: parts.filter((_, index) => stats[index] === null),
  }
}

interface Walk {
  readonly directory: string
  readonly depth: number
  readonly found: string[]
  /** Real paths of folders, against links that lead back. */
  readonly visited: Set<string>
  readonly log: Log
}

async function walk(at: Walk): Promise<void> {
  let entries: Dirent[]
  try {
    const real = await realpath(at.directory)
    if (at.visited.has(real)) return
    at.visited.add(real)
    entries = await readdir(at.directory, { withFileTypes: true })
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) at.log.warn({ folder: at.directory, err: error }, 'a folder of models cannot be read')
    return
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.') || at.found.length >= filesMax) continue
    const full = path.join(at.directory, entry.name)
    const kind = entry.isSymbolicLink() ? await statOrNull(full) : entry
    if (kind?.isDirectory() === true && at.depth < depthMax) await walk({ ...at, directory: full, depth: at.depth + 1 })
    if (kind?.isFile() === true && /\.gguf$/i.test(entry.name)) at.found.push(full)
  }
}

/** The first part stands for its set; when it is missing, the first one that is there does, so that the lack is told. */
function isHead(file: string, found: readonly string[]): boolean {
  const part = parseSplitPart(file)
  if (part === null || part.index === 1) return true
  return splitSetPaths(file).find((each) => found.includes(each)) === file
}

async function statOrNull(file: string) {
  try {
    return await stat(file)
  } catch {
    return null
  }
}
