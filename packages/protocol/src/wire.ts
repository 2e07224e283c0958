import { fromJSON } from '@grpc/proto-loader'
import descriptor from './generated/descriptor.json' with { type: 'json' }
import type { HealthDefinition } from './generated/grpc/health/v1/Health.ts'
import type { NodeServiceDefinition } from './generated/shoal/v1/NodeService.ts'
import { loadOptions } from './load-options.ts'

/** The services of `proto/` with their serialisers, from data inside the program: a bundle needs no file beside it. */
const definitions = fromJSON(descriptor as unknown as Parameters<typeof fromJSON>[0], loadOptions)

// The types were generated from the same files with the same options; a test keeps them together.
export const nodeService = definitions['shoal.v1.NodeService'] as unknown as NodeServiceDefinition
export const healthService = definitions['grpc.health.v1.Health'] as unknown as HealthDefinition

/** Version of the messages; a node and a gateway of different versions do not work together. */
export const protocolVersion = 1
