import path from 'node:path'
import { type ModelId, modelId } from '@shoal/core'
import { quantizationOfFileName } from '@shoal/planner'

/**
 * A file of a split set: `NAME-00001-of-00003.gguf`, as the splitting tool of llama.cpp names the parts. Engines are given the first one.
 */
export interface SplitPart {
  /** Path without the part's suffix. */
  readonly stem: string
  readonly index: number
  readonly count: number
}

export function parseSplitPart(file: string): SplitPart | null {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(file)
  if (match?.[1] === undefined) return null
  const index = Number(match[2])
  const count = Number(match[3])
  return index >= 1 && index <= count ? { stem: match[1], index, count } : null
}

/** Paths of all parts, the first first; one path for a file that is no part of a set. */
export function splitSetPaths(file: string): readonly string[] {
  const part = parseSplitPart(file)
  if (part === null) return [file]
  const digits = (value: number) => String(value).padStart(5, '0')
  return Array.from({ length: part.count }, (_, index) => `${part.stem}-${digits(index + 1)}-of-${digits(part.count)}.gguf`)
}

/** File name without folder, `.gguf` and the suffix of a part. */
export function stemOf(file: string): string {
  const name = path.posix.basename(file.replaceAll('\\', '/'))
  return parseSplitPart(name)?.stem ?? name.replace(/\.gguf$/i, '')
}

/** Vision projectors lie beside their model, and are none: every publisher calls them `mmproj...`. */
export const isProjector = (file: string): boolean => /^mmproj[-_.]/i.test(path.posix.basename(file.replaceAll('\\', '/')))

/**
 * Name of a file in the models folder: `owner/repo/[folder/]file.gguf` -> `owner/repo:QUANT` (the name under which the hub has it), any
 * other file -> its stem. `quantization` of the header stands in where the file name has none.
 */
export function modelIdOfFile(relativePath: string, quantization: string | null): ModelId {
  const segments = relativePath.split(/[\\/]/)
  const [owner, repo] = segments
  if (segments.length < 3 || owner === undefined || repo === undefined) return modelId(stemOf(relativePath))
  return modelId(`${owner}/${repo}:${quantizationOfFileName(relativePath) ?? quantization ?? stemOf(relativePath)}`)
}
