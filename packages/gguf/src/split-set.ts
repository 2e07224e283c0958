import { basename, dirname, join } from 'node:path'
import { invalidFile } from './invalid-file.ts'

const partPattern = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/
const partsMax = 4096

/**
 * Paths of all parts of a model, first to last, by the naming rule `NAME-00001-of-0000N.gguf`; a file named otherwise stands alone.
 * @throws ShoalError MODEL_FILE_INVALID when the path names a later part.
 */
export function splitSetPaths(path: string): readonly string[] {
  const match = partPattern.exec(basename(path))
  if (match === null) return [path]
  const [, stem = '', part = '', parts = ''] = match
  const count = Number(parts)
  if (count < 1 || count > partsMax) throw invalidFile(path, `names itself one of ${count} parts`)
  const partPath = (index: number) => join(dirname(path), `${stem}-${String(index).padStart(5, '0')}-of-${parts}.gguf`)
  if (Number(part) !== 1) throw invalidFile(path, `is part ${Number(part)} of ${count}`, `Name the first part: ${partPath(1)}`)
  return Array.from({ length: count }, (_, index) => partPath(index + 1))
}
