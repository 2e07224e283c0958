import { type LoadModelCommand, type LocalModel, ShoalError } from '@shoal/core'
import type { ModelFetcher } from '../hub/model-fetcher.ts'
import type { ModelLibrary } from '../models/library.ts'
import type { Planning } from '../planning.ts'
import type { LoadProgress, ModelOnDisk } from './load-ports.ts'

export interface ObtainDependencies {
  readonly library: ModelLibrary
  readonly fetcher: ModelFetcher
  readonly checkBeforeFetch: Planning['checkBeforeFetch']
  /** Writes the demo model if need be; answers its path. */
  readonly writeDemo: () => Promise<string>
}

/**
 * From "load this" to a file on this machine whose header was checked: looked up in the models folder, fetched from the hub, or written
 * here. Rejects with MODEL_FILE_MISSING, MODEL_FILE_INVALID, INVALID_REQUEST, or as the download does.
 */
export async function obtainModel(
  command: LoadModelCommand,
  dependencies: ObtainDependencies,
  run: { readonly onProgress: (progress: LoadProgress) => void; readonly signal: AbortSignal },
): Promise<ModelOnDisk> {
  const { library } = dependencies
  const { source } = command
  switch (source.kind) {
    case 'local':
      return source.path === null ? await findInFolder(command, library) : await library.open(source.path)
    case 'demo':
      return await library.open(await dependencies.writeDemo())
    case 'hub': {
      const present = await library.find(command.modelId)
      if (present !== null && isSameFile(present, source)) return present
      await dependencies.checkBeforeFetch(source, command, run.signal)
      const fetched = await dependencies.fetcher.fetch(
        source,
        ({ bytes, totalBytes }) => run.onProgress({ status: 'downloading', progress: totalBytes === null ? null : bytes / totalBytes }),
        run.signal,
      )
      return await library.open(fetched.path)
    }
  }
}

async function findInFolder(command: LoadModelCommand, library: ModelLibrary): Promise<LocalModel> {
  const found = await library.find(command.modelId)
  if (found !== null) return found
  const stem = command.modelId.split('/').at(-1)
  const invalid = library.invalidFiles.find((file) => stem !== undefined && file.path.includes(stem))
  if (invalid !== undefined)
    throw new ShoalError({ code: 'MODEL_FILE_INVALID', message: `${invalid.path} cannot be used: ${invalid.reason}` })
  throw new ShoalError({ code: 'MODEL_FILE_MISSING', message: `The models folder has no file for ${command.modelId}.` })
}

/** A file of that name is taken for the wanted one unless a digest or size says otherwise. */
function isSameFile(model: LocalModel, wanted: { readonly bytes: number | null; readonly sha256: string | null }): boolean {
  if (wanted.sha256 !== null && model.sha256 !== null) return wanted.sha256 === model.sha256
  return wanted.bytes === null || wanted.bytes === model.manifest.fileBytes
}
