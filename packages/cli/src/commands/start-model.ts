import { type Agent, type StartEvent, serveStartModel as serveStart } from '@shoal/agent'
import type { ModelId } from '@shoal/core'
import { formatBytes } from '../output/format.ts'
import { createProgressReport, type ProgressReport } from '../output/progress.ts'
import type { ServingOptions } from './serve.ts'

/**
 * Brings the first model to `ready` with progress on stderr and answers its id. A better one that is fetched behind it goes on after
 * that, and takes its place by itself.
 */
export async function serveStartModel(agent: Agent, options: ServingOptions, signal: AbortSignal): Promise<ModelId> {
  const report = createProgressReport()
  const { state, better } = await serveStart(agent, {
    model: options.model === undefined || options.model === 'auto' ? null : options.model,
    offline: options.offline === true,
    contextTokens: options.context ?? null,
    slots: options.slots ?? null,
    onEvent: (event) => show(event, report),
    signal,
  })
  report.done()
  void better.then(() => report.done())
  return state.modelId
}

function show(event: StartEvent, report: ProgressReport): void {
  switch (event.kind) {
    case 'download': {
      const { bytes, totalBytes, bytesPerSecond } = event
      const share = totalBytes === null || totalBytes === 0 ? null : bytes / totalBytes
      const rate = bytesPerSecond === null ? '' : `, ${formatBytes(bytesPerSecond)}/s`
      report.update(`fetching ${event.modelId}`, share, `${formatBytes(bytes)} of ${formatBytes(totalBytes)}${rate}`)
      return
    }
    case 'load':
      report.update(`loading ${event.modelId}`, event.progress)
      return
    case 'note':
      report.done()
      process.stderr.write(`shoal: ${event.text}\n`)
  }
}
