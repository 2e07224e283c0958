import path from 'node:path'
import { ShoalError } from '@shoal/core'

/** Absolute paths; none of them needs to exist yet. */
export interface ShoalDirectories {
  /** Identity, corrections, measurements: small files that must survive. */
  readonly state: string
  readonly models: string
  /** What can be made or fetched again. */
  readonly cache: string
}

export interface DirectoryOptions {
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Where Shoal keeps its files: `SHOAL_HOME` for all three, else the folders systemd gives a service (`STATE_DIRECTORY`,
 * `CACHE_DIRECTORY`), else the platform's convention (XDG, ~/Library, %LOCALAPPDATA%) for this process.
 * Rejects with USAGE when the user has no home folder and none of the variables is set.
 */
export async function shoalDirectories({ env }: DirectoryOptions): Promise<ShoalDirectories> {
  const home = env.SHOAL_HOME
  if (home !== undefined && home !== '') {
    const root = path.resolve(home)
    return { state: root, models: path.join(root, 'models'), cache: path.join(root, 'cache') }
  }
  const state = firstDirectory(env.STATE_DIRECTORY)
  const cache = firstDirectory(env.CACHE_DIRECTORY)
  if (state !== null) return { state, models: path.join(state, 'models'), cache: cache ?? path.join(state, 'cache') }
  const platform = await platformDirectories()
  return { state: platform.data, models: path.join(platform.data, 'models'), cache: cache ?? platform.cache }
}

/** systemd separates several directories by colons; ours is the first. */
function firstDirectory(value: string | undefined): string | null {
  const first = value?.split(':')[0]
  return first === undefined || first === '' ? null : path.resolve(first)
}

async function platformDirectories(): Promise<{ readonly data: string; readonly cache: string }> {
  // Loaded only when needed: env-paths asks for the home folder at import, which throws for a user without one.
  const paths = await import('env-paths').then(
    (loaded) => loaded.default('shoal', { suffix: '' }),
    (cause: unknown) => {
      throw homeless(cause)
    },
  )
  // HOME set to the empty string makes these relative to wherever the process happens to be.
  if (!path.isAbsolute(paths.data) || !path.isAbsolute(paths.cache)) throw homeless(null)
  return paths
}

function homeless(cause: unknown): ShoalError {
  return new ShoalError({
    code: 'USAGE',
    message: 'This user has no home folder to keep models and state in.',
    remedy: 'Set SHOAL_HOME to a folder this user may write to.',
    cause,
  })
}
