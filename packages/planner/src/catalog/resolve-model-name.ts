import { type ModelId, type ModelSource, modelId, ShoalError } from '@shoal/core'
import { type CatalogEntry, catalogModelId, catalogSource, findCatalogEntry, findCatalogModel, usualCatalogFile } from './catalog.ts'
import { fileStem } from './file-stem.ts'
import { quantizationOfFileName } from './quantization.ts'

/**
 * What a person means by a model's name.
 * - catalog: an id of the catalog, with or without `:QUANT`
 * - hub: `hf:owner/repo[:QUANT]`, `hf:owner/repo/file.gguf`, or the model id `owner/repo:QUANT`. `source.file` is the file where the name or the
 *   catalog tells it, else the quantisation asked for, else empty: the hub's listing has to fill it in
 * - path: an absolute path of a GGUF
 * - name: a file, or its stem, in some node's models folder
 * - demo: the demonstration model
 */
export type ResolvedModelName = {
  readonly kind: 'catalog' | 'hub' | 'path' | 'name' | 'demo'
  readonly modelId: ModelId
  readonly source: ModelSource
  /** Null = not in the catalog. */
  readonly entry: CatalogEntry | null
}

const demoName = 'shoal-demo'

/**
 * Reads a model's name as people write it. Throws INVALID_REQUEST for what is no name (empty, relative path, malformed hub name) and
 * MODEL_UNKNOWN for a quantisation the catalog's model does not come in.
 */
export function resolveModelName(text: string): ResolvedModelName {
  const name = text.trim()
  if (name === '') throw invalidName(text, 'it is empty')
  if (name.toLowerCase() === demoName) return { kind: 'demo', modelId: modelId(demoName), source: { kind: 'demo' }, entry: null }
  if (/^hf:/i.test(name)) return resolveHubName(name.slice(3), text)
  if (isAbsolutePath(name)) {
    if (!/\.gguf$/i.test(name)) throw invalidName(text, 'a file of a model ends in .gguf')
    return { kind: 'path', modelId: modelId(fileStem(name)), source: { kind: 'local', path: name }, entry: null }
  }
  const inCatalog = resolveCatalogName(name)
  if (inCatalog !== null) return inCatalog
  if (/[\\/]/.test(name)) {
    if (/\.gguf$/i.test(name) || /^[.~]/.test(name)) throw invalidName(text, 'a path must be absolute')
    return resolveHubName(name, text)
  }
  return { kind: 'name', modelId: modelId(fileStem(name)), source: { kind: 'local', path: null }, entry: null }
}

function resolveCatalogName(name: string): ResolvedModelName | null {
  const [id = '', quantization = null, ...rest] = name.split(':')
  const model = findCatalogModel(id)
  if (model === null || rest.length > 0) return null
  const file =
    quantization === null ? usualCatalogFile(model) : model.files.find((each) => each.quantization === quantization.toUpperCase())
  if (file === undefined || file === null) {
    const there = [...new Set(model.files.map((each) => each.quantization))].join(', ')
    const message = `The catalog has no ${quantization ?? 'file'} of ${model.id}; it has: ${there}.`
    throw new ShoalError({
      code: 'MODEL_UNKNOWN',
      message,
      param: 'model',
      remedy: 'Choose one of those, or name a file: hf:owner/repo:QUANT',
    })
  }
  return { kind: 'catalog', modelId: catalogModelId(file), source: catalogSource(file), entry: { model, file } }
}

function resolveHubName(name: string, text: string): ResolvedModelName {
  const match = /^([\w.-]+\/[\w.-]+?)(?:\/([^:]+\.gguf)|:([\w.-]+))?$/i.exec(name)
  const repo = match?.[1]
  if (repo === undefined || repo.split('/').some((part) => /^\.+$/.test(part))) {
    throw invalidName(text, 'a model at the hub is hf:owner/repo:QUANT')
  }
  const path = match?.[2] ?? null
  if (path?.split('/').includes('..') === true) throw invalidName(text, 'a path inside a repository has no ".."')
  const quantization = match?.[3]?.toUpperCase() ?? null
  const entry = path === null ? findCatalogEntry(repo, quantization) : entryOfFile(repo, path)
  if (entry !== null) return { kind: 'hub', modelId: catalogModelId(entry.file), source: catalogSource(entry.file), entry }
  const label = path === null ? quantization : (quantizationOfFileName(path) ?? fileStem(path))
  const source = { kind: 'hub', repo, file: path ?? quantization ?? '', revision: null, bytes: null, sha256: null } as const
  return { kind: 'hub', modelId: modelId(label === null ? repo : `${repo}:${label}`), source, entry: null }
}

function entryOfFile(repo: string, path: string): CatalogEntry | null {
  const entry = findCatalogEntry(repo, quantizationOfFileName(path))
  return entry?.file.file === path ? entry : null
}

const isAbsolutePath = (name: string): boolean => /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(name)

function invalidName(text: string, why: string): ShoalError {
  return new ShoalError({
    code: 'INVALID_REQUEST',
    message: `"${text}" is not a name of a model: ${why}.`,
    param: 'model',
    remedy: 'Write a catalog id (see: shoal models), hf:owner/repo:QUANT, the name of a file in the models folder, or an absolute path.',
  })
}
