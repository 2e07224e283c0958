import { type Server, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js'
import type { HealthCheckRequest__Output as CheckRequest } from '../generated/grpc/health/v1/HealthCheckRequest.ts'
import type { HealthCheckResponse as CheckResponse } from '../generated/grpc/health/v1/HealthCheckResponse.ts'
import { healthService } from '../wire.ts'

export interface Health {
  register(server: Server): void
  /** Says NOT_SERVING to everybody and ends the watches. */
  stop(): void
}

/** Names a prober may ask for; the empty one is the server as a whole. */
const services = new Set(['', 'shoal.v1.NodeService'])

/** Watches cost memory; a prober needs one. */
const watchersMax = 64

/**
 * The standard health service (grpc.health.v1) for probers such as Kubernetes. It is our own because the published package reads its
 * .proto from a folder beside its own file, which a bundle does not have.
 */
export function createHealth(): Health {
  const watchers = new Set<ServerWritableStream<CheckRequest, CheckResponse>>()
  let isStopping = false
  const current = (): CheckResponse => ({ status: isStopping ? 'NOT_SERVING' : 'SERVING' })

  return {
    register(server) {
      server.addService(healthService, {
        check(call: ServerUnaryCall<CheckRequest, CheckResponse>, callback: sendUnaryData<CheckResponse>) {
          if (services.has(call.request.service)) callback(null, current())
          else callback({ code: status.NOT_FOUND, details: 'unknown service' })
        },
        watch(call: ServerWritableStream<CheckRequest, CheckResponse>) {
          if (watchers.size >= watchersMax) {
            call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many health watches' })
            return
          }
          watchers.add(call)
          call.on('cancelled', () => watchers.delete(call))
          call.write(services.has(call.request.service) ? current() : { status: 'SERVICE_UNKNOWN' })
        },
      })
    },
    stop() {
      isStopping = true
      for (const call of watchers) {
        if (services.has(call.request.service)) call.write(current())
        call.end()
      }
      watchers.clear()
    },
  }
}
