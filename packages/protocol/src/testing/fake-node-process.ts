import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface FakeNodeProcess extends AsyncDisposable {
  readonly port: number
  /** `SIGSTOP` freezes it, `SIGCONT` lets it go on, `SIGKILL` ends it. */
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void
}

const script = fileURLToPath(new URL('serve-fake-node.ts', import.meta.url))

/** Starts a fake node in a process of its own; resolves when its port is open. */
export async function startFakeNodeProcess(port = 0): Promise<FakeNodeProcess> {
  const child = spawn(process.execPath, [script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const [line] = (await Promise.race([once(child.stdout, 'data'), exited.then(failedToStart)])) as [Buffer]
  return {
    port: Number(line.toString()),
    signal: (name) => child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

function failedToStart(): never {
  throw new Error('the fake node did not start')
}
