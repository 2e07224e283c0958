import { createHash } from 'node:crypto'
import path from 'node:path'
import { type LocalModel, type Log, type ModelId, type ModelManifest, modelId, ShoalError } from '@shoal/core'
import { openHeaderCache } from './header-cache.ts'
import { modelIdOfFile, stemOf } from './model-names.ts'
import { describeFileSet, type ModelFileSet, scanModelFiles } from './scan.ts'

/** A file that calls itself a GGUF and cannot be used. */
export interface InvalidModelFile {
  readonly path: string
  readonly reason: string
}

export interface ModelLibrary {
  /** What the latest look into the models folder found. */
  readonly models: readonly LocalModel[]
  readonly invalidFiles: readonly InvalidModelFile[]
  /** Looks again; files that did not change are not read again. */
  refresh(): Promise<readonly LocalModel[]>
  /** The model of this id: in the folder, or a file given before by `open`; looks again when it is not known. */
  find(id: ModelId): Promise<LocalModel | null>
  /** A file anywhere on this machine. Rejects with MODEL_FILE_MISSING or MODEL_FILE_INVALID. */
  open(file: string): Promise<LocalModel>
  /**
   * SHA-256 of the model at `file`, computed at most once per content. Of a split set: SHA-256 over the concatenated hex digests of its
   * parts, because a set has no digest of its own.
   */
  digest(file: string, signal: AbortSignal): Promise<string>
  /** Notes digests of parts that are known already, as after a download. */
  noteDigests(file: string, partDigests: readonly string[]): Promise<void>
}

export interface ModelLibraryOptions {
  readonly modelsDirectory: string
  readonly cacheDirectory: string
  readonly log: Log
  /** Header of the file set that starts at `file`, checked; rejects with MODEL_FILE_INVALID. */
  readonly readManifest: (file: string) => Promise<ModelManifest>
  readonly hashFile: (file: string, signal: AbortSignal) => Promise<string>
  /** How loudly the log tells of a file that cannot be used; `debug` where the caller shows `invalidFiles` itself. Default `warn`. */
  readonly invalidFileLevel?: 'warn' | 'debug'
}

export async function openModelLibrary(options: ModelLibraryOptions): Promise<ModelLibrary> {
  const { log, invalidFileLevel = 'warn' } = options
  const cache = await openHeaderCache(options.cacheDirectory, log)
  const warned = new Set<string>()
  const opened = new Map<string, LocalModel>()
  let models: readonly LocalModel[] = []
  let invalidFiles: readonly InvalidModelFile[] = []
  let refreshing: Promise<readonly LocalModel[]> | null = null

  const read = async (set: ModelFileSet, id: (manifest: ModelManifest) => ModelId): Promise<LocalModel> => {
    const known = cache.get(set)
    const manifest = known?.manifest ?? (await readSet(set, options.readManifest))
    if (known === null) cache.put(set, manifest, null)
    return { modelId: id(manifest), path: set.path, sha256: known?.sha256 ?? null, manifest }
  }

  const rescan = async () => {
    const valid: LocalModel[] = []
    const invalid: InvalidModelFile[] = []
    for (const set of await scanModelFiles(options.modelsDirectory, log)) {
      try {
        valid.push(await read(set, (manifest) => modelIdOfFile(set.relativePath, manifest.quantization)))
      } catch (error) {
        const reason = reasonOf(error, set.path)
        invalid.push({ path: set.path, reason })
        // Once per content: this runs at every look into the folder.
        const key = `${set.path} ${set.bytes} ${set.mtimeMs}`
        if (!warned.has(key)) log[invalidFileLevel]({ file: set.path, reason }, 'a file in the models folder cannot be used')
        warned.add(key)
      }
    }
    models = distinctNames(valid, options.modelsDirectory)
    invalidFiles = invalid
    await cache.save()
    return models
  }

  const refresh = () => {
    refreshing ??= rescan().finally(() => {
      refreshing = null
    })
    return refreshing
  }

  const withName = (id: ModelId) => [...opened.values(), ...models].find((model) => model.modelId === id) ?? null

  const noteDigest = async (set: ModelFileSet, sha256: string) => {
    const manifest = cache.get(set)?.manifest ?? (await readSet(set, options.readManifest))
    cache.put(set, manifest, sha256)
    await cache.save()
    const withDigest = (model: LocalModel) => (model.path === set.path ? { ...model, sha256 } : model)
    models = models.map(withDigest)
    for (const [key, model] of opened) opened.set(key, withDigest(model))
  }
  const describe = async (file: string) => {
    const set = await describeFileSet(file)
    if (set === null) throw new ShoalError({ code: 'MODEL_FILE_MISSING', message: `There is no file ${file}.` })
    return set
  }

  return {
    get models() {
      return models
    },
    get invalidFiles() {
      return invalidFiles
    },
    refresh,
    async find(id) {
      const known = withName(id)
      if (known !== null && (await describeFileSet(known.path)) !== null) return known
      await refresh()
      return withName(id)
    },
    async open(file) {
      const set = await describe(path.resolve(file))
      const inFolder = (await refresh()).find((model) => model.path === set.path)
      if (inFolder !== undefined) return inFolder
      const model = await read(set, () => modelId(stemOf(set.path)))
      opened.set(model.path, model)
      await cache.save()
      return model
    },
    async digest(file, signal) {
      const set = await describe(file)
      const known = cache.get(set)?.sha256
      if (known !== undefined && known !== null) return known
      const digests: string[] = []
      for (const part of set.parts) digests.push(await options.hashFile(part, signal))
      const sha256 = digestOfSet(digests)
      const after = await describe(file)
      // A file that changed meanwhile has this digest no more; it is not remembered for what it is now.
      if (after.bytes === set.bytes && after.mtimeMs === set.mtimeMs) await noteDigest(set, sha256)
      return sha256
    },
    noteDigests: async (file, partDigests) => await noteDigest(await describe(file), digestOfSet(partDigests)),
  }
}

/** Errors name the file first; whoever reads a reason has the file beside it. */
function reasonOf(error: unknown, file: string): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message
}

async function readSet(set: ModelFileSet, readManifest: ModelLibraryOptions['readManifest']): Promise<ModelManifest> {
  const [missing] = set.missingParts
  if (missing === undefined) return await readManifest(set.path)
  throw new ShoalError({
    code: 'MODEL_FILE_INVALID',
    message: `${path.basename(set.path)} is one of ${set.parts.length} parts, and ${path.basename(missing)} is missing.`,
    remedy: 'Put all parts into one folder.',
  })
}

function digestOfSet(partDigests: readonly string[]): string {
  const [first, ...rest] = partDigests
  if (first !== undefined && rest.length === 0) return first
  return createHash('sha256').update(partDigests.join('')).digest('hex')
}

/** Two files may claim one name (`x-mxfp4.gguf` and `x-MXFP4.gguf`): the first keeps it, the others are named by their path. */
function distinctNames(models: readonly LocalModel[], directory: string): readonly LocalModel[] {
  const taken = new Set<string>()
  return models.map((model) => {
    const id = taken.has(model.modelId)
      ? path
          .relative(directory, model.path)
          .replaceAll('\\', '/')
          .replace(/\.gguf$/i, '')
      : model.modelId
    taken.add(id)
    return { ...model, modelId: id }
  })
}
