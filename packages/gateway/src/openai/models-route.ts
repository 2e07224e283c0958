import type { ClusterView, ModelId } from '@shoal/core'
import { modelUnknown } from '../dispatcher/reject-error.ts'
import type { HttpContext } from '../http-env.ts'

interface ModelBody {
  readonly id: string
  readonly object: 'model'
  readonly created: number
  readonly owned_by: string
  /** Tokens a request may use; null while no node has it loaded, and for `auto`, which may be another model tomorrow. */
  readonly context_length: number | null
  readonly status: { readonly value: 'loaded' | 'loading' | 'unloaded' }
}

export interface ModelsRouteOptions {
  readonly view: () => ClusterView
  /** Seconds since 1970 that models are dated with: GGUF files name no time of their own. */
  readonly created: number
}

/**
 * `GET /v1/models`: what is loaded, what is on its way, what lies in the nodes' models folders, and `auto` while something can answer for it:
 * clients check a name here before they use it, or let people choose from this list.
 */
export function createModelsRoute({ view, created }: ModelsRouteOptions) {
  return (context: HttpContext): Response => context.json({ object: 'list', data: [...collectModels(view(), created).values()] })
}

/** `GET /v1/models/:id`, whose id contains slashes. */
export function createModelRoute({ view, created }: ModelsRouteOptions) {
  return (context: HttpContext): Response => {
    const id = context.req.param('id') ?? ''
    const found = collectModels(view(), created).get(id)
    if (found === undefined) throw modelUnknown(id, view())
    return context.json(found)
  }
}

/** A model's best state on any node wins; a model known only as a file can be loaded. Sorted by id, `auto` last. */
function collectModels(view: ClusterView, created: number): ReadonlyMap<string, ModelBody> {
  const models = new Map<string, ModelBody>()
  const put = (id: string, value: ModelBody['status']['value'], contextLength: number | null) => {
    const known = models.get(id)
    if (known !== undefined && order[known.status.value] >= order[value]) return
    models.set(id, { id, object: 'model', created, owned_by: 'shoal', context_length: contextLength, status: { value } })
  }
  for (const { description, state } of view.nodes) {
    for (const { modelId } of description.localModels) put(modelId, 'unloaded', null)
    for (const { modelId, status, contextTokens } of state.models) {
      if (status === 'ready') put(modelId, 'loaded', contextTokens)
      else put(modelId, status === 'failed' ? 'unloaded' : 'loading', null)
    }
  }
  const sorted = new Map([...models].sort(([a], [b]) => (a < b ? -1 : 1)))
  if ([...models.values()].some(({ status }) => status.value === 'loaded')) {
    sorted.delete('auto')
    sorted.set('auto', { id: 'auto', object: 'model', created, owned_by: 'shoal', context_length: null, status: { value: 'loaded' } })
  }
  return sorted
}

const order = { unloaded: 0, loading: 1, loaded: 2 }

/** First twelve digits of the model file's digest where a node knows it. */
export function fingerprintOf(view: ClusterView, model: ModelId): string {
  for (const { state } of view.nodes) {
    const digest = state.models.find(({ modelId }) => modelId === model)?.sha256
    if (digest != null) return `shoal-${digest.slice(0, 12)}`
  }
  return 'shoal'
}
