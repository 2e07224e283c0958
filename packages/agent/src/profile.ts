import type { Clock, GpuProfile, NodeProfile } from '@shoal/core'

export interface ProfileSource {
  /** What this machine is now; see `createProfileSource` for how old it may be. */
  current(): Promise<NodeProfile>
  /** The same, with the memory of this very moment; on a machine with GPUs theirs, too, which costs a question to the engine. */
  fresh(): Promise<NodeProfile>
}

const memoryAgeMsMax = 1_000
const profileAgeMsMax = 60_000

/**
 * Keeps the profile fresh at little cost: memory, the one figure that changes by the second, is read again after a second (about 1 ms),
 * the rest after a minute. Questions that come while one is being answered share its answer.
 */
export function createProfileSource(options: {
  readonly probe: () => Promise<NodeProfile>
  readonly sampleMemory: () => Promise<Pick<NodeProfile['memory'], 'totalBytes' | 'limitBytes' | 'availableBytes'>>
  readonly probeGpus: () => Promise<readonly GpuProfile[]>
  readonly clock: Clock
}): ProfileSource {
  const { clock } = options
  let known: { readonly profile: NodeProfile; readonly memoryMs: number; readonly probedMs: number } | null = null
  let asking: Promise<NodeProfile> | null = null

  const refresh = async (): Promise<NodeProfile> => {
    const nowMs = clock.nowMs()
    if (known !== null && nowMs - known.memoryMs < memoryAgeMsMax) return known.profile
    if (known !== null && nowMs - known.probedMs < profileAgeMsMax) {
      const memory = { ...known.profile.memory, ...(await options.sampleMemory()) }
      known = { ...known, profile: { ...known.profile, memory }, memoryMs: nowMs }
    } else {
      known = { profile: await options.probe(), memoryMs: clock.nowMs(), probedMs: clock.nowMs() }
    }
    return known.profile
  }
  const current = () => {
    asking ??= refresh().finally(() => {
      asking = null
    })
    return asking
  }
  return {
    current,
    async fresh() {
      const profile = await current()
      const gpus = profile.gpus.length === 0 ? profile.gpus : await options.probeGpus()
      return { ...profile, memory: { ...profile.memory, ...(await options.sampleMemory()) }, gpus }
    },
  }
}
