import { ShoalError } from '@shoal/core'
import { quantizationOfFileName } from '@shoal/planner'
import { isProjector, parseSplitPart, splitSetPaths } from '../models/model-names.ts'
import type { HubFile, HubRepo } from './hub.ts'

/** Taken in this order when no quantisation was asked for: small for its quality, and present nearly everywhere. */
const usualQuantizations = ['Q4_K_M', 'UD-Q4_K_XL', 'MXFP4', 'MXFP4_MOE', 'Q4_0', 'Q5_K_M', 'Q8_0', 'BF16', 'F16']

/**
 * Which files of a listing make the wanted model: all parts of a split set, the first first. `file` names one of them, `quantization`
 * the label in the file name, any case; with neither, the usual one. Throws MODEL_UNKNOWN, which lists what is there.
 */
export function chooseHubFiles(
  repo: HubRepo,
  wanted: { readonly repo: string; readonly file: string | null; readonly quantization: string | null },
): readonly HubFile[] {
  const models = repo.files.filter((file) => /\.gguf$/i.test(file.path) && !isProjector(file.path))
  const heads = models.filter((file) => (parseSplitPart(file.path)?.index ?? 1) === 1)
  const head = wanted.file === null ? chooseHead(heads, wanted.quantization) : models.find((file) => file.path === wanted.file)
  if (head === undefined) {
    const there = [...new Set(heads.map((file) => quantizationOfFileName(file.path) ?? file.path))].join(', ')
    throw new ShoalError({
      code: 'MODEL_UNKNOWN',
      message:
        `${wanted.repo} has no GGUF ${wanted.file ?? wanted.quantization ?? ''}`.trimEnd() + (there === '' ? '.' : `; it has: ${there}.`),
      remedy: there === '' ? 'Choose a repository with GGUF files; their names often end in -GGUF.' : 'Choose one of those.',
    })
  }
  const paths = splitSetPaths(head.path)
  const files = paths.map((path) => models.find((file) => file.path === path))
  if (files.includes(undefined)) {
    throw new ShoalError({
      code: 'MODEL_UNKNOWN',
      message: `${wanted.repo} lacks parts of ${head.path}.`,
      remedy: 'Choose another quantisation.',
    })
  }
  return files.filter((file) => file !== undefined)
}

function chooseHead(heads: readonly HubFile[], quantization: string | null): HubFile | undefined {
  const labels = quantization === null ? usualQuantizations : [quantization.toUpperCase()]
  for (const label of labels) {
    const found = heads.find((file) => quantizationOfFileName(file.path) === label)
    if (found !== undefined) return found
  }
  return quantization === null ? heads[0] : undefined
}
