import { setTimeout as delay } from 'node:timers/promises'
import { type DeploymentsResponse, type DeploymentView, type DeployRequest, ShoalError } from '@shoal/core'
import { createProgressReport } from '../output/progress.ts'
import { type GlobalOptions, gatewayOf } from './context.ts'

export interface DeployOptions extends GlobalOptions {
  readonly replicas: number
  readonly context?: number
  readonly slots?: number
  readonly detach?: boolean
}

/** `shoal deploy MODEL --replicas N`: tells the gateway the wish and follows it until it is met; Ctrl-C leaves it running. */
export async function runDeploy(model: string, options: DeployOptions): Promise<void> {
  const gateway = gatewayOf(options)
  const request: DeployRequest = {
    model,
    replicas: options.replicas,
    contextTokens: options.context ?? null,
    slots: options.slots ?? null,
  }
  let view = await gateway.send<DeploymentView>('POST', '/shoal/v1/deployments', request)
  const { deploymentId } = view.deployment
  const report = createProgressReport()
  while (options.detach !== true && view.readyReplicas < view.deployment.replicas) {
    const failed = view.replicas.find((replica) => replica.status === 'failed')
    if (failed !== undefined)
      throw new ShoalError({ code: 'LOAD_FAILED', message: `${failed.hostname}: ${failed.error ?? 'the load failed'}` })
    report.update(`deploying ${view.deployment.modelId}`, shareOf(view), describeReplicas(view))
    await delay(300)
    const { deployments } = await gateway.get<DeploymentsResponse>('/shoal/v1/deployments')
    const next = deployments.find((each) => each.deployment.deploymentId === deploymentId)
    if (next === undefined) throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `The deployment of ${model} was taken back meanwhile.` })
    view = next
  }
  report.done()
  if (options.output === 'json') process.stdout.write(`${JSON.stringify(view, null, 2)}\n`)
  else
    process.stdout.write(
      `deployed ${view.deployment.modelId} replicas=${view.readyReplicas}/${view.deployment.replicas} id=${deploymentId}\n`,
    )
}

function describeReplicas(view: DeploymentView): string {
  if (view.replicas.length === 0) return view.reason ?? 'waiting for a node'
  return view.replicas.map((replica) => `${replica.hostname} ${replica.status}`).join(', ')
}

function shareOf(view: DeploymentView): number {
  const sum = view.replicas.reduce((total, replica) => total + (replica.status === 'ready' ? 1 : (replica.progress ?? 0)), 0)
  return sum / view.deployment.replicas
}

/** `shoal undeploy ID|MODEL`: takes a deployment back; its replicas are unloaded. */
export async function runUndeploy(name: string, options: GlobalOptions): Promise<void> {
  const gateway = gatewayOf(options)
  const { deployments } = await gateway.get<DeploymentsResponse>('/shoal/v1/deployments')
  const found = deployments.find(({ deployment }) => deployment.deploymentId === name || deployment.modelId === name)
  if (found === undefined)
    throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `There is no deployment "${name}".`, remedy: 'List them with: shoal ps' })
  await gateway.send('DELETE', `/shoal/v1/deployments/${found.deployment.deploymentId}`)
  process.stdout.write(`removed ${found.deployment.modelId}\n`)
}
