import { createGatewayClient, defaultGatewayUrl, type GatewayClient } from '../gateway-client.ts'
import type { OutputKind } from '../output/table.ts'

/** Options every command has. */
export interface GlobalOptions {
  readonly gateway?: string
  readonly output: OutputKind
  readonly verbose?: boolean
}

export const gatewayOf = (options: GlobalOptions): GatewayClient =>
  createGatewayClient(options.gateway ?? process.env.SHOAL_GATEWAY ?? defaultGatewayUrl)
