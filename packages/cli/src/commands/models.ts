import type { NodesResponse } from '@shoal/core'
import { formatBytes } from '../output/format.ts'
import { printRows } from '../output/table.ts'
import { type GlobalOptions, gatewayOf, hostLabels, noNodes } from './context.ts'

interface ModelRow {
  model: string
  architecture: string
  quantization: string | null
  bytes: number
  contextTokens: number | null
  /** Hosts whose models folder has the file. */
  onNodes: string[]
  /** Hosts that serve it now. */
  readyOn: string[]
}

/** `shoal models`: every model file the nodes have, and where it is being served. */
export async function runModels(options: GlobalOptions): Promise<void> {
  const { nodes } = await gatewayOf(options).get<NodesResponse>('/shoal/v1/nodes')
  const rows = new Map<string, ModelRow>()
  const hosts = hostLabels(nodes)
  for (const node of nodes) {
    const host = hosts(node.nodeId)
    for (const { modelId, manifest } of node.description.localModels) {
      const row = rows.get(modelId) ?? {
        model: modelId,
        architecture: manifest.architecture,
        quantization: manifest.quantization,
        bytes: manifest.fileBytes,
        contextTokens: manifest.contextTokensTrained,
        onNodes: [],
        readyOn: [],
      }
      row.onNodes.push(host)
      if (node.state.models.some((model) => model.modelId === modelId && model.status === 'ready')) row.readyOn.push(host)
      rows.set(modelId, row)
    }
  }
  const models = [...rows.values()]
  printRows({
    kind: options.output,
    value: { models },
    head: ['model', 'architecture', 'quantization', 'size', 'context', 'on', 'ready on'],
    whenEmpty: nodes.length === 0 ? noNodes : 'No node has a model file in its models folder. What runs: shoal ps',
    rows: models.map((row) => [
      row.model,
      row.architecture,
      row.quantization ?? 'unknown',
      formatBytes(row.bytes),
      row.contextTokens === null ? 'unknown' : String(row.contextTokens),
      row.onNodes.join(', '),
      row.readyOn.join(', ') || '-',
    ]),
  })
}
