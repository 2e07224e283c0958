import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createChildEnvironment } from './child-environment.ts'
import type { FromChild, ToChild } from './messages.ts'

export interface ChildExit {
  readonly code: number | null
  readonly signal: string | null
  /** End of what it wrote to stderr. */
  readonly lastWords: string
}

export interface ChildHandlers {
  onMessage(message: FromChild): void
  /** Called once, after which the child is gone; also when it could not be started. */
  onExit(exit: ChildExit): void
}

export interface Child {
  readonly pid: number | null
  send(message: ToChild): void
  /** SIGKILL: the only end that native code cannot refuse. */
  kill(): void
  /** Whether it keeps this process from ending by itself; it does at first. */
  keepAlive(on: boolean): void
}

/** Starts an engine child; the port through which tests give the supervisor other children. */
export type StartChild = (handlers: ChildHandlers) => Child

const lastWordsChars = 2000

/**
 * The entry of the child lies beside this module: as source in the tree, as a bundle of its own in the product.
 *
 * @param workerThreads see `createChildEnvironment`
 */
export function startEngineChild(handlers: ChildHandlers, workerThreads: number): Child {
  const entry = new URL(`./engine-child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(entry)], {
    env: createChildEnvironment(process.env, workerThreads),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    windowsHide: true,
  })
  let lastWords = ''
  let exited = false
  const exit = (code: number | null, signal: string | null) => {
    if (exited) return
    exited = true
    handlers.onExit({ code, signal, lastWords: lastWords.trim() })
  }
  child.stderr?.setEncoding('utf8')
  child.stderr?.on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-lastWordsChars)
  })
  child.on('message', (message) => {
    if (!exited) handlers.onMessage(message as FromChild)
  })
  // 'close' comes after the last message and the last line of stderr; a failed spawn has no 'close'.
  child.on('close', exit)
  child.on('error', (error) => {
    lastWords += error.message
    if (child.pid === undefined) exit(null, null)
  })
  return {
    pid: child.pid ?? null,
    send(message) {
      // A child that has just died cannot take it; its exit tells the caller.
      if (child.connected) child.send(message, () => {})
    },
    kill: () => void child.kill('SIGKILL'),
    keepAlive(on) {
      const method = on ? 'ref' : 'unref'
      child[method]()
      child.channel?.[method]()
      if (child.stderr instanceof Socket) child.stderr[method]()
    },
  }
}
