export { createGatewayApp, type GatewayAppOptions } from './app.ts'
export { type Gateway, type GatewayOptions, startGateway } from './gateway.ts'
export type { ConnectNode, NodeClient } from './ports.ts'
