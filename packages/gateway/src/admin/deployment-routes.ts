import { type DeploymentsResponse, deploymentId } from '@shoal/core'
import { z } from 'zod'
import type { Controller } from '../controller/controller.ts'
import type { HttpContext } from '../http-env.ts'
import { invalidRequest } from '../openai/invalid-request.ts'
import { readJsonBody } from '../openai/read-body.ts'

const deploySchema = z.looseObject({
  model: z.string().min(1).max(1024),
  replicas: z.int().min(1).max(1000),
  contextTokens: z.int().min(16).max(16_777_216).nullish(),
  slots: z.int().min(1).max(256).nullish(),
})

const bodyBytesMax = 64 * 1024

type DeploymentRoutesController = Pick<Controller, 'list' | 'deploy' | 'remove'>

/** `GET`, `POST /shoal/v1/deployments` and `DELETE /shoal/v1/deployments/:id`; bodies as in core's admin API. */
export function createDeploymentRoutes(controller: DeploymentRoutesController) {
  return {
    list: (context: HttpContext): Response => context.json({ deployments: controller.list() } satisfies DeploymentsResponse),
    async deploy(context: HttpContext): Promise<Response> {
      const body = await readJsonBody(context, bodyBytesMax)
      const parsed = deploySchema.safeParse(body)
      if (!parsed.success) throw invalidRequest(parsed.error, body)
      const { model, replicas, contextTokens = null, slots = null } = parsed.data
      return context.json(await controller.deploy({ model, replicas, contextTokens, slots }), 202)
    },
    async remove(context: HttpContext): Promise<Response> {
      return context.json(await controller.remove(deploymentId(context.req.param('id') ?? '')))
    },
  }
}
