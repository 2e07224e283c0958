import type { DeploymentsResponse, NodesResponse } from '@shoal/core'
import { formatBytes, formatShare, formatSpeed } from '../output/format.ts'
import { printRows } from '../output/table.ts'
import { type GlobalOptions, gatewayOf, hostLabels, noNodes } from './context.ts'

/** `shoal ps`: what runs where: every loaded or loading model on every node, and deployments still waiting for a node. */
export async function runPs(options: GlobalOptions): Promise<void> {
  const gateway = gatewayOf(options)
  const [{ nodes }, { deployments }] = await Promise.all([
    gateway.get<NodesResponse>('/shoal/v1/nodes'),
    gateway.get<DeploymentsResponse>('/shoal/v1/deployments'),
  ])
  const hosts = hostLabels(nodes)
  const running = nodes.flatMap((node) =>
    node.state.models.map((model) => [
      model.modelId,
      hosts(node.nodeId),
      `${model.status} ${formatShare(model.progress)}`.trim(),
      `${model.slotsUsed}/${model.slotsTotal}`,
      String(model.contextTokens),
      formatSpeed(model.tokensPerSecond),
      formatBytes(model.facts?.residentBytes ?? null),
      model.error ?? '',
    ]),
  )
  const waiting = deployments
    .filter((each) => each.readyReplicas < each.deployment.replicas && each.reason !== null)
    .map((each) => [
      each.deployment.modelId,
      '-',
      `waiting ${each.readyReplicas}/${each.deployment.replicas}`,
      '',
      '',
      '',
      '',
      each.reason ?? '',
    ])
  printRows({
    kind: options.output,
    value: { nodes: nodes.map((node) => ({ nodeId: node.nodeId, models: node.state.models })), deployments },
    head: ['model', 'node', 'state', 'slots', 'context', 'speed', 'memory', 'note'],
    rows: [...running, ...waiting],
    whenEmpty: nodes.length === 0 ? noNodes : 'Nothing runs. Have a model served with: shoal deploy MODEL',
  })
}
