import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { demoModelId, readModelManifest, writeDemoModel } from '@shoal/gguf'
import { shoalVersion } from '@shoal/runtime'

/**
 * Path of the demo model, written to the cache folder unless a whole one of this version lies there. It is not put among the user's
 * models: it knows nothing. Two agents that share the folder write the same bytes and rename them into place.
 */
export async function ensureDemoModel(cacheDirectory: string): Promise<string> {
  const folder = path.join(cacheDirectory, 'demo', shoalVersion)
  const file = path.join(folder, `${demoModelId}.gguf`)
  const present = await readModelManifest(file).catch(() => null)
  if (present?.isDemo === true) return file
  await mkdir(folder, { recursive: true })
  await writeDemoModel(file)
  return file
}
