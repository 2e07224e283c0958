import type { NodeId, NodeLiveness, NodeState, NodeView } from '@shoal/core'
import type { NodeClient } from '../ports.ts'
import type { Answer } from './find-address.ts'
import { createSilenceMeter, heartbeatMs } from './silence-meter.ts'

const describeEveryMs = 30_000

/** One connection that answered: from its first report to its loss. */
export interface NodeSession {
  readonly nodeId: NodeId
  readonly client: NodeClient
  /** Null until the first report. */
  view(): NodeView | null
  /** Reads reports until the node leaves (resolves), the stream breaks or falls silent, or `signal` aborts (all reject). */
  run(signal: AbortSignal): Promise<void>
  /** To be called every `tickMs`. */
  tick(elapsedMs: number): void
}

/**
 * Reports of one incarnation count in order of their version; a new incarnation replaces the old. Every report, whatever its version,
 * is a sign of life.
 */
export function createNodeSession(answer: Answer, onChange: (view: NodeView) => void): NodeSession {
  const { address, client } = answer
  let { description } = answer
  const { nodeId } = description
  const meter = createSilenceMeter()
  const stop = new AbortController()
  let state: NodeState | null = null
  let liveness: NodeLiveness = 'connected'
  let view: NodeView | null = null
  const publish = () => {
    if (state === null) return
    view = { nodeId, address, liveness, description, state }
    onChange(view)
  }
  const setLiveness = (next: NodeLiveness) => {
    if (liveness === next) return
    liveness = next
    publish()
  }
  let modelsSeen: string | null = null
  let sinceDescribedMs = 0
  /** Files come and go in the models folder, most of all when a load has ended. */
  const describeAgain = async (): Promise<void> => {
    sinceDescribedMs = 0
    try {
      description = await client.describe(stop.signal)
      publish()
    } catch {
      // The report stream decides whether the node is there; the next description is asked for soon enough.
    }
  }
  const noteModels = ({ models }: NodeState): void => {
    const seen = models.map(({ modelId, status }) => `${modelId} ${status}`).join('\n')
    if (modelsSeen !== null && seen !== modelsSeen) void describeAgain()
    modelsSeen = seen
  }
  return {
    nodeId,
    client,
    view: () => view,
    async run(signal) {
      const onAbort = () => stop.abort()
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      const onState = (next: NodeState) => {
        meter.heard()
        if (next.nodeId !== nodeId) return
        if (state === null || next.incarnation !== state.incarnation || next.version > state.version) {
          state = next
          liveness = 'connected'
          publish()
          noteModels(next)
        } else setLiveness('connected')
      }
      try {
        await client.watch({ heartbeatMs }, onState, stop.signal)
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    tick(elapsedMs) {
      const hearing = meter.tick(elapsedMs)
      sinceDescribedMs += elapsedMs
      if (sinceDescribedMs >= describeEveryMs) void describeAgain()
      if (hearing === 'lost') stop.abort()
      else if (hearing === 'suspect') setLiveness('suspect')
    },
  }
}
