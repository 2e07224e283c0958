import { type ModelManifest, ShoalError } from '@shoal/core'
import { type ByteSource, type GgufHeader, parseManifest, readGgufHeader } from '@shoal/gguf'
import type { HubDependencies, HubModel } from './download-model.ts'
import { hubFileUrl, hubHeaders, hubRefusal, reasonOf } from './hub.ts'

const readTimeoutMs = 20_000

/**
 * Header of a model that is still at the hub, read by HTTP ranges: some megabytes instead of the whole file, to know whether it would
 * fit. Rejects with MODEL_FILE_INVALID, DOWNLOAD_FAILED (also for a server without ranges), MODEL_UNKNOWN or CANCELLED.
 */
export async function readRemoteManifest(model: HubModel, hub: HubDependencies, signal: AbortSignal): Promise<ModelManifest> {
  const headers: GgufHeader[] = []
  for (const { path, bytes } of model.files) {
    if (bytes === null) throw new ShoalError({ code: 'DOWNLOAD_FAILED', message: `The hub does not say how large ${path} is.` })
    const url = hubFileUrl(hub.address, model.repo, model.commit, path)
    headers.push(await readGgufHeader(createHttpSource({ name: `${model.repo}/${path}`, url, sizeBytes: bytes, hub, signal })))
  }
  return parseManifest(headers)
}

interface HttpSourceOptions {
  readonly name: string
  readonly url: string
  readonly sizeBytes: number
  readonly hub: HubDependencies
  readonly signal: AbortSignal
}

function createHttpSource({ name, url, sizeBytes, hub, signal }: HttpSourceOptions): ByteSource {
  return {
    name,
    sizeBytes,
    async read(offset, length) {
      try {
        const response = await hub.fetch(url, {
          headers: { ...hubHeaders(hub.address), 'accept-encoding': 'identity', range: `bytes=${offset}-${offset + length - 1}` },
          signal: AbortSignal.any([signal, AbortSignal.timeout(readTimeoutMs)]),
        })
        if (response.status !== 206) {
          await response.body?.cancel()
          if (response.ok)
            throw new ShoalError({ code: 'DOWNLOAD_FAILED', message: `${hub.address.endpoint} does not send parts of ${name}.` })
          throw hubRefusal(response, name, hub.address)
        }
        const bytes = new Uint8Array(await response.arrayBuffer())
        if (bytes.byteLength === length) return bytes
        throw new ShoalError({
          code: 'DOWNLOAD_FAILED',
          message: `${name}: ${bytes.byteLength} bytes came where ${length} were asked for.`,
        })
      } catch (error) {
        if (error instanceof ShoalError) throw error
        if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: `Reading the header of ${name} was cancelled.` })
        throw new ShoalError({
          code: 'DOWNLOAD_FAILED',
          message: `The header of ${name} could not be read: ${reasonOf(error)}.`,
          cause: error,
        })
      }
    },
  }
}
