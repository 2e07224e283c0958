import type { LocalModel, NodeApi, NodeId, NodeProfile } from '@shoal/core'
import type { ModelHost } from './loading/model-host.ts'
import type { Snapshots } from './snapshots.ts'

/** Version of the protocol between gateway and agent; see proto/shoal/v1. */
export const protocolVersion = 1

export interface NodeApiDependencies {
  readonly nodeId: NodeId
  readonly shoalVersion: string
  readonly host: ModelHost
  readonly snapshots: Snapshots
  readonly profile: () => Promise<NodeProfile>
  readonly localModels: () => Promise<readonly LocalModel[]>
}

/** What a gateway may ask of this node, joined from the parts that do it. */
export function createNodeApi(dependencies: NodeApiDependencies): NodeApi {
  const { nodeId, shoalVersion, host, snapshots } = dependencies
  return {
    async describe() {
      const [profile, localModels] = await Promise.all([dependencies.profile(), dependencies.localModels()])
      return { nodeId, protocolVersion, shoalVersion, profile, localModels }
    },
    watch: (options, onState, signal) => snapshots.watch(options, onState, signal),
    loadModel: (command, onProgress, signal) => host.load(command, onProgress, signal),
    unloadModel: (modelId) => host.unload(modelId),
    drain: ({ deadlineMs }, signal) => host.drain(deadlineMs, signal),
    generate: (request, onEvent, signal) => host.generate(request, onEvent, signal),
  }
}
