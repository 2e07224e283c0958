import { type ClusterView, ShoalError } from '@shoal/core'
import type { RejectCode, WantedModel } from '@shoal/planner'

export interface Rejection {
  readonly code: RejectCode
  readonly model: WantedModel
  readonly retryAfterMs: number | null
  /** Of the last attempt, when there was one. */
  readonly lastError: ShoalError | null
  readonly view: ClusterView
}

/** Why a request got no node, in words that name the model and what there is instead. */
export function renderRejection({ code, model, retryAfterMs, lastError, view }: Rejection): ShoalError {
  const retry = retryAfterMs === null ? {} : { retryAfterMs }
  if (lastError !== null && code === 'NO_NODE') {
    return new ShoalError({ code: lastError.code, message: lastError.message, remedy: lastError.remedy, ...retry, cause: lastError })
  }
  switch (code) {
    case 'MODEL_UNKNOWN':
      return modelUnknown(model, view)
    case 'QUEUE_FULL':
      return new ShoalError({ code, message: 'Every slot is taken and the queue is full.', ...retry })
    case 'DEADLINE_EXCEEDED':
      return new ShoalError({ code, message: `No slot for ${model} became free in time.`, ...retry })
    case 'NO_NODE': {
      const message = view.nodes.length === 0 ? 'No node is connected.' : `No node can serve ${model} now.`
      return new ShoalError({ code, message, ...retry })
    }
  }
}

/** 404 that names what can be asked for instead, and says so when a node only has the file. */
export function modelUnknown(model: string, view: ClusterView): ShoalError {
  const ready = new Set(
    view.nodes.flatMap(({ state }) => state.models.filter(({ status }) => status === 'ready').map(({ modelId }) => modelId)),
  )
  const isOnDisk = view.nodes.some(({ description }) => description.localModels.some(({ modelId }) => modelId === model))
  const shown = model.length > 200 ? `${model.slice(0, 200)}...` : model
  const what = isOnDisk ? `The model ${shown} is on a node but not loaded.` : `The model ${shown} does not exist here.`
  const available = ready.size === 0 ? 'No model is loaded.' : `Available: ${[...ready].sort().slice(0, 20).join(', ')}, or auto.`
  return new ShoalError({
    code: 'MODEL_UNKNOWN',
    message: `${what} ${available}`,
    param: 'model',
    ...(isOnDisk ? { remedy: `Load it with: shoal deploy ${shown}` } : {}),
  })
}
