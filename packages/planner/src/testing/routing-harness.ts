import { modelId, nodeId, requestId } from '@shoal/core'
import type { AttemptOutcome, RoutedModel, RoutingEvent, RoutingOptions } from '../routing/routing-events.ts'
import { createRoutingTable } from '../routing/routing-table.ts'
import { step } from '../routing/step.ts'

type NodeChanged = Extract<RoutingEvent, { kind: 'nodeChanged' }>

/** A ready model with two free slots, changed where a test cares. */
export const routed = (name: string, facts: Partial<RoutedModel> = {}): RoutedModel => ({
  modelId: modelId(name),
  status: 'ready',
  isDemo: false,
  slotsTotal: 2,
  slotsUsed: 0,
  tokensPerSecond: null,
  ...facts,
})

/** A table with a clock and version counter; every method answers with the effects in short form. */
export function routingHarness(options: Partial<RoutingOptions> = {}) {
  const table = createRoutingTable({ queueMax: 10, ...options })
  let nowMs = 0
  let version = 0
  const apply = (event: RoutingEvent): string[] =>
    step(table, event).effects.map((effect) =>
      effect.kind === 'dispatch'
        ? `${effect.requestId}>${effect.nodeId}/${effect.modelId}#${effect.attempt}`
        : `${effect.requestId}!${effect.code}`,
    )
  return {
    table,
    apply,
    wait: (ms: number) => {
      nowMs += ms
      return apply({ kind: 'tick', nowMs })
    },
    node: (name: string, models: RoutedModel[], facts: Partial<NodeChanged> = {}) => {
      version += 1
      const event = {
        kind: 'nodeChanged',
        nowMs,
        nodeId: nodeId(name),
        incarnation: 'i1',
        version,
        draining: false,
        suspect: false,
        models,
      }
      return apply({ ...event, ...facts } as NodeChanged)
    },
    lose: (name: string) => apply({ kind: 'nodeLost', nowMs, nodeId: nodeId(name) }),
    ask: (id: string, model = 'm', deadlineMs: number | null = null) =>
      apply({ kind: 'requested', nowMs, requestId: requestId(id), model: model === 'auto' ? 'auto' : modelId(model), deadlineMs }),
    end: (id: string, node: string, outcome: AttemptOutcome = 'finished') =>
      apply({ kind: 'attemptEnded', nowMs, requestId: requestId(id), nodeId: nodeId(node), outcome }),
    cancel: (id: string) => apply({ kind: 'cancelled', nowMs, requestId: requestId(id) }),
  }
}
