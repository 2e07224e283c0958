/**
 * The two functions below run in another process, and reach it as source text (a bundle has no file to name), so they may refer to
 * nothing outside themselves.
 */

export type ReadOperation = 'memchr' | 'memcmp' | 'ascii'

export interface CoordinatorOptions {
  /** Text of `reader`. */
  readonly readerSource: string
  readonly threads: number
  readonly bytes: number
  readonly roundMs: number
  readonly rounds: readonly ReadOperation[]
}

export interface RoundSpeed {
  readonly bytesPerSecond: number
  /** CPU time the threads got over the time they asked for, 0 to about 1: below 1 when other programs wanted the same cores. */
  readonly cpuShare: number
}

interface ThreadRound {
  readonly bytes: number
  /** By the clock all threads share. */
  readonly startMs: number
  readonly endMs: number
}

/** Owns the memory, starts the readers, runs one round after another on all of them at once, and writes a RoundSpeed for each as a line of JSON. */
export async function coordinator({ readerSource, threads, bytes, roundMs, rounds }: CoordinatorOptions): Promise<void> {
  const { Worker } = process.getBuiltinModule('node:worker_threads')
  const shared = new SharedArrayBuffer(bytes)
  const ask = (worker: InstanceType<typeof Worker>, operation: ReadOperation | null): Promise<ThreadRound> =>
    new Promise((resolve) => {
      worker.once('message', resolve)
      if (operation !== null) worker.postMessage(operation)
    })
  const readers = Array.from({ length: threads }, (_, index) => {
    const own = { shared, start: Math.floor((bytes / threads) * index), end: Math.floor((bytes / threads) * (index + 1)), roundMs }
    return new Worker(readerSource, { eval: true, execArgv: [], workerData: own })
  })
  await Promise.all(readers.map((worker) => ask(worker, null)))
  for (const operation of rounds) {
    const before = process.cpuUsage()
    const results = await Promise.all(readers.map((worker) => ask(worker, operation)))
    const { user, system } = process.cpuUsage(before)
    // From the first start to the last end: threads that ran one after another must not look as if they had run together.
    const elapsedMs = Math.max(...results.map(({ endMs }) => endMs)) - Math.min(...results.map(({ startMs }) => startMs))
    const total = results.reduce((sum, result) => sum + result.bytes, 0)
    const speed: RoundSpeed = { bytesPerSecond: (total / elapsedMs) * 1000, cpuShare: (user + system) / 1000 / (threads * elapsedMs) }
    process.stdout.write(`${JSON.stringify(speed)}\n`)
  }
  process.stdout.write('', () => process.exit(0))
}

/** A thread: fills its part, says so, and on each message reads the whole memory round and round, from its own part on, until the time is up. */
export function reader(): void {
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const { Buffer, isAscii } = process.getBuiltinModule('node:buffer')
  const { shared, start, end, roundMs } = workerData as { shared: SharedArrayBuffer; start: number; end: number; roundMs: number }
  const blockBytes = 1024 * 1024
  const now = () => Number(process.hrtime.bigint()) / 1e6
  const half = shared.byteLength / 2
  const memory = Buffer.from(shared)
  memory.fill(0x41, start, end)
  let position = start
  // Each reads `blockBytes` from memory; comparing reads half of them in each half of the memory.
  const step = (operation: ReadOperation): boolean => {
    const bytes = operation === 'memcmp' ? blockBytes / 2 : blockBytes
    const limit = operation === 'memcmp' ? half : shared.byteLength
    if (position + bytes > limit) position = 0
    const block = memory.subarray(position, position + bytes)
    position += bytes
    if (operation === 'memchr') return block.indexOf(0) === -1
    if (operation === 'ascii') return isAscii(block)
    return block.compare(memory, half + position - bytes, half + position) === 0
  }
  parentPort?.on('message', (operation: ReadOperation) => {
    const startMs = now()
    let endMs = startMs
    let bytes = 0
    while (endMs < startMs + roundMs && step(operation)) {
      bytes += blockBytes
      endMs = now()
    }
    parentPort.postMessage({ bytes, startMs, endMs })
  })
  parentPort?.postMessage({ bytes: 0, startMs: 0, endMs: 0 })
}
