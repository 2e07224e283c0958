import type { Agent } from '@shoal/agent'
import type { ModelId } from '@shoal/core'
import { demoModelId } from '@shoal/gguf'
import type { ProgressReport } from '../output/progress.ts'
import type { ServingOptions } from './serve.ts'

export async function serveStartModel(
  agent: Agent,
  options: ServingOptions,
  { report, signal }: { readonly report: ProgressReport; readonly signal: AbortSignal },
): Promise<ModelId> {
  const state = await agent.api.loadModel(
    { modelId: demoModelId, source: { kind: 'demo' }, contextTokens: options.context ?? null, slots: options.slots ?? null },
    (each) => report.update(`loading ${demoModelId}`, each.progress),
    signal,
  )
  report.done()
  return state.modelId
}
