import type { ModelManifest } from '@shoal/core'
import { openFileSource } from './byte-source.ts'
import { type GgufHeader, readGgufHeader } from './header.ts'
import { invalidFile } from './invalid-file.ts'
import { parseManifest } from './manifest.ts'
import { splitSetPaths } from './split-set.ts'

/**
 * Reads and checks the header of a local model, or of every part of one that is split over files.
 * @param path of the file, or of the first part.
 * @throws ShoalError MODEL_FILE_MISSING (a part is not there) or MODEL_FILE_INVALID (what is wrong, and where).
 */
export async function readModelManifest(path: string): Promise<ModelManifest> {
  return parseManifest(await readModelHeaders(path))
}

/** Checked headers of all parts, first part first; fails as `readModelManifest`. */
export async function readModelHeaders(path: string): Promise<readonly GgufHeader[]> {
  const headers: GgufHeader[] = []
  for (const partPath of splitSetPaths(path)) {
    await using source = await openFileSource(partPath)
    headers.push(await readGgufHeader(source))
  }
  checkSplitCount(headers)
  return headers
}

function checkSplitCount(headers: readonly GgufHeader[]): void {
  for (const [index, header] of headers.entries()) {
    const count = header.metadata.get('split.count') ?? headers.length
    if (count !== headers.length && !(count === 0 && headers.length === 1)) {
      throw invalidFile(
        header.name,
        `says it is one of ${String(count)} parts, its file name says ${headers.length}`,
        'Give all parts their original names, NAME-00001-of-0000N.gguf and so on, in one folder.',
      )
    }
    const number = header.metadata.get('split.no') ?? index
    if (number !== index) throw invalidFile(header.name, `says it is part ${Number(number) + 1}, its file name says ${index + 1}`)
  }
}
