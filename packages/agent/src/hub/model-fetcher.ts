import { ShoalError } from '@shoal/core'
import { abandonable } from '../time.ts'
import {
  type DownloadedModel,
  type DownloadProgress,
  downloadModel,
  type HubDependencies,
  type HubSource,
  resolveHubModel,
} from './download-model.ts'

/** Brings models from the hub into the models folder; whoever asks for a file that is on its way joins. */
export interface ModelFetcher {
  /** Rejects as `downloadModel`; the transfer itself ends when all who asked for it have gone. */
  fetch(source: HubSource, onProgress: (progress: DownloadProgress) => void, signal: AbortSignal): Promise<DownloadedModel>
  /** Tells the progress of transfers of `source` that others start, until the returned function is called. */
  watch(source: HubSource, onProgress: (progress: DownloadProgress) => void): () => void
}

interface Transfer {
  readonly result: Promise<DownloadedModel>
  readonly abort: AbortController
  readonly listeners: Set<(progress: DownloadProgress) => void>
  latest: DownloadProgress | null
}

export function createModelFetcher(options: {
  readonly hub: HubDependencies
  readonly modelsDirectory: string
  /** Called once after each transfer, before anybody who waited for it goes on. */
  readonly onFetched: (model: DownloadedModel) => Promise<void>
}): ModelFetcher {
  const { hub, modelsDirectory } = options
  const transfers = new Map<string, Transfer>()
  const watchers = new Set<{ readonly key: string; readonly onProgress: (progress: DownloadProgress) => void }>()

  const start = (key: string, source: HubSource): Transfer => {
    const abort = new AbortController()
    const listeners: Transfer['listeners'] = new Set()
    const onProgress = (progress: DownloadProgress) => {
      transfer.latest = progress
      for (const listener of listeners) listener(progress)
      for (const watcher of watchers) if (watcher.key === key) watcher.onProgress(progress)
    }
    const download = async (wanted: HubSource) => {
      const model = await resolveHubModel(wanted, hub, abort.signal)
      return await downloadModel(model, { hub, modelsDirectory, onProgress, signal: abort.signal })
    }
    const result = download(source)
      .catch((thrown: unknown) => {
        if (source.revision === null || ShoalError.from(thrown).code !== 'MODEL_UNKNOWN') throw thrown
        // Publishers upload anew and squash: the name still means this model, and the hub's listing has the digest of what it is now.
        hub.log.warn({ repo: source.repo, revision: source.revision }, 'the hub has this commit no more; fetching what it has now')
        return download({ ...source, revision: null, bytes: null, sha256: null })
      })
      .then(async (fetched) => {
        await options.onFetched(fetched)
        return fetched
      })
      .finally(() => {
        if (transfers.get(key) === transfer) transfers.delete(key)
      })
    const transfer: Transfer = { result, abort, listeners, latest: null }
    transfers.set(key, transfer)
    return transfer
  }

  return {
    watch(source, onProgress) {
      const watcher = { key: keyOf(source), onProgress }
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    async fetch(source, onProgress, signal) {
      const key = keyOf(source)
      let transfer = transfers.get(key)
      // What is being cancelled cannot be joined; and the next one must find the part file closed.
      while (transfer?.abort.signal.aborted === true) {
        await transfer.result.catch(() => undefined)
        transfer = transfers.get(key)
      }
      transfer ??= start(key, source)
      const listener = (progress: DownloadProgress) => onProgress(progress)
      transfer.listeners.add(listener)
      if (transfer.latest !== null) onProgress(transfer.latest)
      try {
        return await abandonable(transfer.result, signal)
      } finally {
        transfer.listeners.delete(listener)
        if (transfer.listeners.size === 0) transfer.abort.abort()
      }
    },
  }
}

const keyOf = (source: HubSource): string => `${source.repo}/${source.file}`
