import type { NodeId, NodeView } from '@shoal/core'
import { createGatewayClient, defaultGatewayUrl, type GatewayClient } from '../gateway-client.ts'
import type { OutputKind } from '../output/table.ts'

/** Options every command has. */
export interface GlobalOptions {
  readonly gateway?: string
  readonly output: OutputKind
  readonly verbose?: boolean
}

export const gatewayOf = (options: GlobalOptions): GatewayClient =>
  createGatewayClient(options.gateway ?? (process.env.SHOAL_GATEWAY || defaultGatewayUrl))

export const noNodes = 'No node is connected. Start one with: shoal agent    or name it at the gateway with --peer HOST:PORT'

/** What to call each node: its host's name, and the start of its id where several nodes share one. */
export function hostLabels(nodes: readonly NodeView[]): (id: NodeId) => string {
  const names = new Map(nodes.map((node) => [node.nodeId, node.description.profile.hostname]))
  return (id) => {
    const name = names.get(id) ?? id.slice(0, 8)
    return [...names.values()].filter((each) => each === name).length > 1 ? `${name}/${id.slice(0, 8)}` : name
  }
}
