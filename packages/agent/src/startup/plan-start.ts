import type { ModelId, ModelSource } from '@shoal/core'

/** A model this machine could serve: it fits and is fast enough. */
export interface StartCandidate {
  readonly modelId: ModelId
  readonly source: ModelSource
  readonly fileBytes: number
}

export interface StartFacts {
  /** In the models folder, best first. */
  readonly local: readonly StartCandidate[]
  /** At the hub, best first. */
  readonly hub: readonly StartCandidate[]
  /** Null = nobody asked: the user wants no network. */
  readonly hubReachable: boolean | null
  /** Free space for models; null = unknown. */
  readonly diskFreeBytes: number | null
}

/**
 * - load: this one, and that is all
 * - improve: `first` serves within minutes, `better` is fetched behind it and takes its place
 * - demo: nothing real can be had; `reason` is a sentence for people
 */
export type StartPlan =
  | { readonly kind: 'load'; readonly first: StartCandidate }
  | { readonly kind: 'improve'; readonly first: StartCandidate; readonly better: StartCandidate }
  | { readonly kind: 'demo'; readonly reason: string }

/** What a machine that was told nothing serves. Files that are here win over any download: they are what their owner put here. */
export function planStart({ local, hub, hubReachable, diskFreeBytes }: StartFacts): StartPlan {
  const [bestLocal] = local
  if (bestLocal !== undefined) return { kind: 'load', first: bestLocal }
  if (hubReachable === null)
    return { kind: 'demo', reason: 'The models folder has no model that fits, and the hub is not asked (--offline).' }
  if (!hubReachable) return { kind: 'demo', reason: 'The models folder has no model that fits, and the model hub cannot be reached.' }
  if (hub.length === 0) return { kind: 'demo', reason: 'No model of the catalog fits this machine.' }
  const storable = hub.filter((each) => diskFreeBytes === null || each.fileBytes <= diskFreeBytes)
  const first = storable.toSorted((a, b) => a.fileBytes - b.fileBytes)[0]
  if (first === undefined) return { kind: 'demo', reason: 'The disk of the models folder has no space for any model of the catalog.' }
  const room = diskFreeBytes === null ? null : diskFreeBytes - first.fileBytes
  const better = storable.find((each) => each === first || room === null || each.fileBytes <= room)
  if (better === undefined || better === first) return { kind: 'load', first }
  return { kind: 'improve', first, better }
}
