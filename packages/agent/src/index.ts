export { type Agent, type AgentDirectories, type AgentOptions, startAgent } from './agent.ts'
export type { AgentParts } from './agent-parts.ts'
