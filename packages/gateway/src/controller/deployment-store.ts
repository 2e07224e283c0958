import path from 'node:path'
import { type Deployment, deploymentId, type Log, modelId } from '@shoal/core'
import { readJsonFile, writeJsonFile } from '@shoal/runtime'
import { z } from 'zod'

/** Deployments that survive a restart of the gateway. */
export interface DeploymentStore {
  read(): Promise<readonly Deployment[]>
  /** Writes follow one another; the last list wins. Rejects with DISK_FULL or INTERNAL. */
  write(deployments: readonly Deployment[]): Promise<void>
}

const sourceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('local'), path: z.string().nullable() }),
  z.object({
    kind: z.literal('hub'),
    repo: z.string(),
    file: z.string(),
    revision: z.string().nullable(),
    bytes: z.number().nullable(),
    sha256: z.string().nullable(),
  }),
  z.object({ kind: z.literal('demo') }),
])

const fileSchema = z.object({
  version: z.literal(1),
  deployments: z.array(
    z.object({
      deploymentId: z.string().transform(deploymentId),
      modelId: z.string().transform(modelId),
      source: sourceSchema,
      replicas: z.int().min(1),
      contextTokens: z.int().nullable(),
      slots: z.int().nullable(),
    }),
  ),
})

/** `stateDir` null keeps nothing. */
export function createDeploymentStore(stateDir: string | null, log: Log): DeploymentStore {
  if (stateDir === null) return { read: () => Promise.resolve([]), write: () => Promise.resolve() }
  const file = path.join(stateDir, 'deployments.json')
  let last: Promise<void> = Promise.resolve()
  return {
    async read() {
      const content = await readJsonFile(file, (value) => fileSchema.parse(value), log)
      return content?.deployments ?? []
    },
    write(deployments) {
      last = last.catch(() => undefined).then(() => writeJsonFile(file, { version: 1, deployments }))
      return last
    },
  }
}
