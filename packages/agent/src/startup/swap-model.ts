import { type LoadModelCommand, type ModelId, type ModelSource, type NodeModelState, ShoalError } from '@shoal/core'
import type { Agent } from '../agent.ts'

export interface ModelSwap {
  /** Serving now, and how to get it back. */
  readonly from: { readonly modelId: ModelId; readonly source: ModelSource }
  /** Its file is here, at `source.path` or under its id. */
  readonly to: LoadModelCommand
  readonly onProgress: (state: NodeModelState) => void
  readonly signal: AbortSignal
}

/** Answers on the old model may run on for long: nothing waits for its memory. */
const besideWaitMs = 15 * 60_000
/** Here every request for a model waits in the gateway's queue. */
const insteadWaitMs = 60_000

/**
 * Puts one model in the place of another. Where the new one gets the same shape beside the old one as without it, it is loaded first and the
 * old one unloaded when its requests have ended: nobody notices. Else the old one is drained and unloaded before, and the gateway's queue
 * bridges the gap; if the new one then fails to load, the old one is brought back before this rejects.
 */
export async function swapModel(agent: Agent, { from, to, onProgress, signal }: ModelSwap): Promise<NodeModelState> {
  if (await fitsBeside(agent, to, from.modelId)) {
    const state = await agent.api.loadModel(to, onProgress, signal)
    await agent.unload(from.modelId, besideWaitMs)
    return state
  }
  await agent.unload(from.modelId, insteadWaitMs)
  try {
    return await agent.api.loadModel(to, onProgress, signal)
  } catch (error) {
    if (!signal.aborted) await agent.api.loadModel({ ...to, ...from }, onProgress, signal)
    throw error
  }
}

async function fitsBeside(agent: Agent, to: LoadModelCommand, leaving: ModelId): Promise<boolean> {
  const path = to.source.kind === 'local' ? to.source.path : null
  const model = path === null ? await agent.library.find(to.modelId) : await agent.library.open(path)
  if (model === null) throw new ShoalError({ code: 'MODEL_FILE_MISSING', message: `The models folder has no file for ${to.modelId}.` })
  const { planning } = agent
  const alone = await planning.planLoad(model, to, [leaving])
  try {
    const beside = await planning.planLoad(model, to)
    const sameSize = beside.options.contextTokens === alone.options.contextTokens && beside.options.slots === alone.options.slots
    return sameSize && beside.options.gpuLayers === alone.options.gpuLayers
  } catch (error) {
    if (ShoalError.from(error).code === 'MODEL_DOES_NOT_FIT') return false
    throw error
  }
}
