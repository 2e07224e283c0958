import { join, resolve } from 'node:path'
import { type Log, ShoalError } from '@shoal/core'
import { createLog, type ShoalDirectories, shoalDirectories } from '@shoal/runtime'
import type { GlobalOptions } from './context.ts'

/** Options of every command that stays in the foreground. */
export interface HostOptions extends GlobalOptions {
  readonly peer?: readonly string[]
  readonly insecureLan?: boolean
  readonly mdns: boolean
  readonly name?: string
}

export interface ServingOptions extends HostOptions {
  readonly model?: string
  readonly modelsDir?: string
  readonly context?: number
  readonly slots?: number
  readonly threads?: number
  readonly offline?: boolean
  readonly agentPort: number
}

const instanceName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** Folders of this instance: `--name` gives it a state of its own, models and cache are shared. Throws USAGE for what is no name. */
export async function directoriesOf(options: { readonly name?: string; readonly modelsDir?: string }): Promise<ShoalDirectories> {
  if (options.name !== undefined && !instanceName.test(options.name)) {
    throw new ShoalError({
      code: 'USAGE',
      message: `"${options.name}" cannot name an instance.`,
      remedy: 'Use letters, digits, ".", "-" and "_", at most 64, a letter or digit first.',
    })
  }
  const base = await shoalDirectories({ env: process.env })
  return {
    state: options.name === undefined ? base.state : join(base.state, 'instances', options.name),
    models: options.modelsDir === undefined ? base.models : resolve(options.modelsDir),
    cache: base.cache,
  }
}

/** Warnings and errors as lines for people; everything with `--verbose`; JSON when stderr is not a terminal and SHOAL_LOG=json. */
export function logOf(options: GlobalOptions, name: string): Log {
  return createLog({ level: options.verbose === true ? 'debug' : 'warn', name, pretty: process.env.SHOAL_LOG !== 'json' })
}

/** Printed once by everything that lets gRPC leave this machine. */
export function warnInsecureLan(): void {
  process.stderr.write(
    'shoal: warning: --insecure-lan: prompts and answers cross the network unencrypted, and anyone on it can use this machine.\n',
  )
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Runs what a shutdown may interrupt: Ctrl-C while a model is fetched or loaded is an end like any other. */
export async function unlessAborted(signal: AbortSignal, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (thrown) {
    if (!signal.aborted) throw thrown
  }
}
