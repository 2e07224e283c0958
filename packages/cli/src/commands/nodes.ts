import type { NodeProfile, NodesResponse, NodeView } from '@shoal/core'
import { formatBandwidth, formatBytes } from '../output/format.ts'
import { printRows } from '../output/table.ts'
import { type GlobalOptions, gatewayOf, noNodes } from './context.ts'

/** `shoal nodes`: every node the gateway is connected with, and what it is. */
export async function runNodes(options: GlobalOptions): Promise<void> {
  const response = await gatewayOf(options).get<NodesResponse>('/shoal/v1/nodes')
  const head = ['node', 'host', 'address', 'state', 'cpu', 'memory', 'bandwidth', 'gpu', 'models']
  printRows({ kind: options.output, value: response, head, rows: response.nodes.map(nodeRow), whenEmpty: noNodes })
}

function nodeRow(node: NodeView): string[] {
  const { profile } = node.description
  return [
    node.nodeId.slice(0, 8),
    profile.hostname,
    node.address,
    node.state.draining ? 'draining' : node.liveness,
    `${profile.cpu.usableCores} ${profile.cpu.architecture}`,
    `${formatBytes(profile.memory.availableBytes)} of ${formatBytes(profile.memory.limitBytes)}`,
    formatBandwidth(profile.memory.bandwidthBytesPerSecond),
    describeGpus(profile),
    node.state.models.map((model) => `${model.modelId} (${model.status})`).join(', ') || '-',
  ]
}

export const describeGpus = (profile: NodeProfile): string =>
  profile.gpus.map((gpu) => `${gpu.name} ${gpu.vramTotalBytes === null ? '' : formatBytes(gpu.vramTotalBytes)}`.trim()).join(', ') || '-'
