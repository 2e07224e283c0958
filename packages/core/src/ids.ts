/** A string that carries its meaning in the type; the cast happens once, where the value enters. */
type Branded<Name extends string> = string & { readonly __brand: Name }

/** First 32 hex digits of SHA-256 over the node's DER public key (SPKI). */
export type NodeId = Branded<'NodeId'>
/** Name under which clients ask for a model, for example `unsloth/Qwen3.5-4B-GGUF:Q4_K_M` or `shoal-demo`. */
export type ModelId = Branded<'ModelId'>
/** Names one client request through gateway, agent and engine; appears in logs and headers. */
export type RequestId = Branded<'RequestId'>
/** Names one wish "model M, n replicas". */
export type DeploymentId = Branded<'DeploymentId'>

export const nodeId = (value: string): NodeId => value as NodeId
export const modelId = (value: string): ModelId => value as ModelId
export const requestId = (value: string): RequestId => value as RequestId
export const deploymentId = (value: string): DeploymentId => value as DeploymentId
