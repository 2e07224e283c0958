import { stat } from 'node:fs/promises'
import path from 'node:path'
import { type Clock, type Log, type ModelSource, ShoalError } from '@shoal/core'
import { splitSetPaths } from '../models/model-names.ts'
import { isErrno } from '../time.ts'
import { createByteRate } from './byte-rate.ts'
import { chooseHubFiles } from './choose-hub-files.ts'
import { downloadFile } from './download-file.ts'
import { withDownloadLock } from './download-lock.ts'
import { type Fetch, type HubAddress, type HubFile, hubFileUrl, listHubRepo } from './hub.ts'
import { partPathOf } from './part-file.ts'
import type { DownloadContext, DownloadLimits } from './transfer.ts'

export type HubSource = Extract<ModelSource, { kind: 'hub' }>

/** A model as it lies at the hub: what to fetch, at which commit, and what it must turn out to be. */
export interface HubModel {
  readonly repo: string
  readonly commit: string
  /** All parts, the first first. */
  readonly files: readonly HubFile[]
}

/** Of all parts; null = the hub does not say. */
export function hubModelBytes({ files }: HubModel): number | null {
  const known = files.every((file) => file.bytes !== null)
  return known ? files.reduce((total, file) => total + (file.bytes ?? 0), 0) : null
}

export interface DownloadProgress {
  readonly bytes: number
  /** Null = the hub does not say. */
  readonly totalBytes: number | null
  /** Over the last seconds; null at the beginning. */
  readonly bytesPerSecond: number | null
}

export interface HubDependencies {
  readonly address: HubAddress
  readonly fetch: Fetch
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<DownloadLimits>
}

const progressEveryMs = 200

/**
 * Turns a source into exact files. `source.file` may be the label of a quantisation, or empty for the usual one. Where commit, size and digest are all known before (the catalog), the hub is not asked; else its
 * listing fills in the rest, and what was known of the file must agree with it later.
 */
export async function resolveHubModel(source: HubSource, hub: HubDependencies, signal: AbortSignal): Promise<HubModel> {
  const { repo, file, revision, bytes, sha256 } = source
  const isSplit = splitSetPaths(file).length > 1
  const named = /\.gguf$/i.test(file)
  if (named && revision !== null && bytes !== null && sha256 !== null && !isSplit) {
    return { repo, commit: revision, files: [{ path: file, bytes, sha256 }] }
  }
  const listing = await listHubRepo(hub.address, repo, { revision, fetch: hub.fetch, signal })
  const files = chooseHubFiles(listing, { repo, file: named ? file : null, quantization: named || file === '' ? null : file })
  const [first, ...rest] = files
  if (first === undefined || isSplit) return { repo, commit: listing.commit, files }
  return {
    repo,
    commit: listing.commit,
    files: [{ path: first.path, bytes: first.bytes ?? bytes, sha256: sha256 ?? first.sha256 }, ...rest],
  }
}

/** Where a file of the hub lies in the models folder: `owner/repo/[folder/]file`. Throws on names that would leave the folder. */
export function hubFilePath(modelsDirectory: string, repo: string, file: string): string {
  const target = path.resolve(modelsDirectory, repo, file)
  const root = path.resolve(modelsDirectory, repo)
  const wellFormed = /^[\w.-]+\/[\w.-]+$/.test(repo) && !repo.split('/').some((segment) => /^\.+$/.test(segment))
  if (!wellFormed || !target.startsWith(root + path.sep)) {
    throw new ShoalError({ code: 'INVALID_REQUEST', message: `${repo}/${file} is not a name of a file at the hub.`, param: 'model' })
  }
  return target
}

export interface DownloadedModel {
  /** Absolute path of the (first part of the) file. */
  readonly path: string
  /** SHA-256 of each part as it was fetched now; null when one was there already. */
  readonly partDigests: readonly string[] | null
}

/**
 * Fetches all files of a model that are not there yet, one after the other. Rejects as `downloadFile` does. Of
 * several processes that want the same file, one fetches it.
 */
export async function downloadModel(
  model: HubModel,
  options: {
    readonly hub: HubDependencies
    readonly modelsDirectory: string
    readonly onProgress: (progress: DownloadProgress) => void
    readonly signal: AbortSignal
  },
): Promise<DownloadedModel> {
  const { hub, signal } = options
  const paths = model.files.map((file) => hubFilePath(options.modelsDirectory, model.repo, file.path))
  const [firstPath] = paths
  if (firstPath === undefined) throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `${model.repo} has no file to fetch.` })
  const report = createReporter(model, hub.clock, options.onProgress)
  const digests: string[] = []
  for (const [index, file] of model.files.entries()) {
    const target = paths[index] ?? firstPath
    const sha256 = await withDownloadLock(target, { clock: hub.clock, signal }, async () => {
      const presentBytes = await sizeOf(target)
      if (presentBytes !== null && (file.bytes === null || file.bytes === presentBytes)) return null
      report.fileStarts((await sizeOf(partPathOf(target))) ?? 0)
      const url = hubFileUrl(hub.address, model.repo, model.commit, file.path)
      const context: DownloadContext = { ...hub, signal, onBytes: report.fileBytes }
      return (await downloadFile({ url, path: target, bytes: file.bytes, sha256: file.sha256 }, context)).sha256
    })
    if (sha256 !== null) digests.push(sha256)
    report.fileDone((await sizeOf(target)) ?? 0)
  }
  return { path: firstPath, partDigests: digests.length === paths.length ? digests : null }
}

function createReporter(model: HubModel, clock: Clock, onProgress: (progress: DownloadProgress) => void) {
  const setBytes = hubModelBytes(model)
  const rate = createByteRate()
  let doneBytes = 0
  let currentBytes = 0
  let currentTotal: number | null = null
  let lastMs = Number.NEGATIVE_INFINITY
  const emit = () => {
    lastMs = clock.nowMs()
    const totalBytes = setBytes ?? (model.files.length === 1 ? currentTotal : null)
    onProgress({ bytes: doneBytes + currentBytes, totalBytes, bytesPerSecond: rate.bytesPerSecond(lastMs) })
  }
  return {
    fileStarts(presentBytes: number) {
      currentBytes = presentBytes
      emit()
    },
    fileBytes(bytes: number, totalBytes: number | null) {
      rate.add(Math.max(0, bytes - currentBytes), clock.nowMs())
      currentBytes = bytes
      currentTotal = totalBytes
      if (clock.nowMs() - lastMs >= progressEveryMs) emit()
    },
    fileDone(bytes: number) {
      doneBytes += bytes
      currentBytes = 0
      currentTotal = bytes
      emit()
    },
  }
}

async function sizeOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}
