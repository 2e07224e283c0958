import { type InferenceRequest, ShoalError } from '@shoal/core'
import { createQuestionAnswerer } from './child/answer-question.ts'
import type { DecodeRounds } from './child/decode-rounds.ts'
import { loadNativeModel } from './child/load-model.ts'
import { createModelHost, type ModelHost } from './child/model-host.ts'
import { createNativeLog } from './child/native-log.ts'
import { createOutbox } from './child/outbox.ts'
import type { ErrorFacts, FromChild, LoadCommand, NativeProgress, Question, ToChild } from './messages.ts'

/** The process that holds one loaded model. It has no network and no keys, and ends with its parent. */

const pulseIdleMs = 500
const pulseBusyMs = 250
/** A child that only answers questions ends by itself when no more come. */
const askIdleMs = 5000

const send = (message: FromChild) => {
  if (process.connected) process.send?.(message)
}
// Two turns later: in the first one the next decode is dispatched, and messages are sent while it runs.
const outbox = createOutbox(send, (flush) => setImmediate(() => setImmediate(flush)))
const nativeLog = createNativeLog((level, message) => send({ kind: 'log', level, message }))
const answerQuestion = createQuestionAnswerer(nativeLog)
const nothing: NativeProgress = { completedDecodes: 0, runningDecodeAgeMs: null, slowestDecodeMs: 0 }
let host: ModelHost | null = null
let rounds: DecodeRounds | null = null
let running = 0
let idle: NodeJS.Timeout | undefined

// Also when native code is stuck on another thread: a normal exit would wait for it.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'load':
      void load(message)
      break
    case 'generate':
      void generate(message.run, message.request)
      break
    case 'cancel':
      host?.cancel(message.run)
      break
    case 'ask':
      void answer(message.ask, message.question)
      break
    case 'exit':
      process.exit(0)
  }
})
pulse()

function pulse(): void {
  outbox.send({ kind: 'pulse', progress: rounds?.progress() ?? nothing })
  setTimeout(pulse, running > 0 ? pulseBusyMs : pulseIdleMs)
}

async function load(command: LoadCommand): Promise<void> {
  try {
    const native = await loadNativeModel(command, nativeLog, (progress) => send({ kind: 'load-progress', progress }))
    rounds = native.rounds
    host = createModelHost(native, outbox)
    send({ kind: 'loaded', facts: native.facts })
  } catch (error) {
    send({ kind: 'load-failed', error: toErrorFacts(error) })
  }
}

async function answer(ask: number, question: Question): Promise<void> {
  clearTimeout(idle)
  try {
    send({ kind: 'answer', ask, value: await answerQuestion(question) })
  } catch (error) {
    send({ kind: 'answer-failed', ask, error: toErrorFacts(error) })
  }
  idle = setTimeout(() => process.exit(0), askIdleMs)
}

async function generate(run: number, request: InferenceRequest): Promise<void> {
  running++
  try {
    await host?.generate(run, request)
  } finally {
    running--
  }
}

function toErrorFacts(error: unknown): ErrorFacts {
  const { code, message, remedy, param } = ShoalError.from(error)
  return { code, message, remedy, ...(param === null ? {} : { param }) }
}
