import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Deployment, type DeploymentsResponse, type DeploymentView, type DeployRequest, ShoalError } from '@shoal/core'
import { resolveModelName } from '@shoal/planner'
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
    model: absoluteFile(model),
    replicas: options.replicas,
    contextTokens: options.context ?? null,
    slots: options.slots ?? null,
  }
  let view = await gateway.send<DeploymentView>('POST', '/shoal/v1/deployments', request)
  const { deploymentId } = view.deployment
  const report = createProgressReport()
  while (options.detach !== true && view.readyReplicas < view.deployment.replicas) {
    checkProgress(view)
    report.update(`deploying ${view.deployment.modelId}`, shareOf(view), describeReplicas(view))
    await delay(300)
    const { deployments } = await gateway.get<DeploymentsResponse>('/shoal/v1/deployments')
    const next = deployments.find((each) => each.deployment.deploymentId === deploymentId)
    if (next === undefined) throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `The deployment of ${model} was taken back meanwhile.` })
    view = next
  }
  report.done()
  if (view.note !== null) process.stderr.write(`shoal: ${view.note}\n`)
  if (options.output === 'json') process.stdout.write(`${JSON.stringify(view, null, 2)}\n`)
  else
    process.stdout.write(
      `deployed ${view.deployment.modelId} replicas=${view.readyReplicas}/${view.deployment.replicas} id=${deploymentId}\n`,
    )
}

/** Throws when waiting longer would not help: a load failed, or more replicas are wished for than can be placed. */
function checkProgress({ deployment, replicas, readyReplicas, reason }: DeploymentView): void {
  const remedy = `It stays wished for, and is tried again. To take it back: shoal undeploy ${deployment.deploymentId}`
  const failed = replicas.find((replica) => replica.status === 'failed')
  if (failed !== undefined) {
    throw new ShoalError({ code: 'LOAD_FAILED', message: `${failed.hostname}: ${failed.error ?? 'the load failed'}`, remedy })
  }
  if (readyReplicas > 0 && readyReplicas === replicas.length && reason !== null) {
    throw new ShoalError({ code: 'NO_NODE', message: reason, remedy })
  }
}

function describeReplicas({ replicas, reason }: DeploymentView): string {
  const placed = replicas.map((replica) => `${replica.hostname} ${replica.status}`).join(', ')
  return [placed, reason ?? ''].filter((part) => part !== '').join('; ') || 'waiting for a node'
}

/** A path may be relative to where the program was started; the gateway knows absolute ones only. */
const absoluteFile = (model: string): string => (/\.gguf$/i.test(model) && !/^hf:/i.test(model) ? resolve(model) : model)

function shareOf(view: DeploymentView): number {
  const sum = view.replicas.reduce((total, replica) => total + (replica.status === 'ready' ? 1 : (replica.progress ?? 0)), 0)
  return sum / view.deployment.replicas
}

/** `shoal undeploy ID|MODEL`: takes a deployment back; its replicas are unloaded. */
export async function runUndeploy(name: string, options: GlobalOptions): Promise<void> {
  const gateway = gatewayOf(options)
  const { deployments } = await gateway.get<DeploymentsResponse>('/shoal/v1/deployments')
  const found = deployments.find(({ deployment }) => isCalled(deployment, name))
  if (found === undefined)
    throw new ShoalError({ code: 'MODEL_UNKNOWN', message: `There is no deployment "${name}".`, remedy: 'List them with: shoal ps' })
  await gateway.send('DELETE', `/shoal/v1/deployments/${found.deployment.deploymentId}`)
  if (options.output === 'json') process.stdout.write(`${JSON.stringify(found, null, 2)}\n`)
  else process.stdout.write(`removed ${found.deployment.modelId}\n`)
}

/** By id, by the model's id, or by what the person wrote when deploying it. */
function isCalled({ deploymentId, modelId, source }: Deployment, name: string): boolean {
  if (deploymentId === name || modelId === name) return true
  return source.kind === 'local' ? source.path === absoluteFile(name) : modelId === resolveModelName(name).modelId
}
