import { type Log, ShoalError } from '@shoal/core'
import { type Child, type StartChild, startEngineChild } from './child-process.ts'
import type { FromChild, Question } from './messages.ts'

interface Asked {
  readonly question: Question
  readonly log: Log
  readonly answer: PromiseWithResolvers<unknown>
  readonly timer: NodeJS.Timeout
  attempts: number
}

/** The first answer loads the native library and may probe drivers. */
const answerMaxMs = 60_000
const attemptsMax = 2
const workerThreads = 4

/**
 * Asks a child without a model. The child is started by the first question, shared by the next ones, and ends by itself when
 * none comes for a while; it does not keep this process alive. Native code that crashes over a file or a driver takes only it along.
 */
export class QuestionChild {
  readonly #start: StartChild
  readonly #asked = new Map<number, Asked>()
  #child: Child | null = null
  #last = 0

  constructor(start: StartChild = (handlers) => startEngineChild(handlers, workerThreads)) {
    this.#start = start
  }

  /** Rejects with what the child says, ENGINE_CRASHED when it dies over the question twice, or ENGINE_STUCK when it does not answer. */
  ask(question: Question, log: Log): Promise<unknown> {
    const number = ++this.#last
    const asked: Asked = {
      ...{ question, log, attempts: 0, answer: Promise.withResolvers<unknown>() },
      timer: setTimeout(() => this.#giveUp(number), answerMaxMs),
    }
    this.#asked.set(number, asked)
    this.#send(number, asked)
    return asked.answer.promise
  }

  #send(number: number, asked: Asked): void {
    asked.attempts++
    this.#child ??= this.#start({ onMessage: (message) => this.#receive(message), onExit: (exit) => this.#exited(exit.lastWords) })
    this.#child.keepAlive(true)
    this.#child.send({ kind: 'ask', ask: number, question: asked.question })
  }

  #receive(message: FromChild): void {
    if (message.kind === 'log') for (const asked of this.#asked.values()) asked.log[message.level]({}, message.message)
    if (message.kind !== 'answer' && message.kind !== 'answer-failed') return
    const asked = this.#take(message.ask)
    if (message.kind === 'answer') asked?.answer.resolve(message.value)
    else asked?.answer.reject(new ShoalError(message.error))
  }

  /** A question that reached a child which was just going is asked again; one that ends a second child is to blame. */
  #exited(lastWords: string): void {
    this.#child = null
    for (const [number, asked] of this.#asked) {
      if (asked.attempts < attemptsMax) this.#send(number, asked)
      else
        this.#take(number)?.answer.reject(
          new ShoalError({ code: 'ENGINE_CRASHED', message: `The engine probe ended: ${lastWords || 'no reason given'}` }),
        )
    }
  }

  #giveUp(number: number): void {
    this.#take(number)?.answer.reject(
      new ShoalError({ code: 'ENGINE_STUCK', message: `The engine probe did not answer within ${answerMaxMs} ms.` }),
    )
    this.#child?.kill()
  }

  #take(number: number): Asked | undefined {
    const asked = this.#asked.get(number)
    this.#asked.delete(number)
    clearTimeout(asked?.timer)
    if (this.#asked.size === 0) this.#child?.keepAlive(false)
    return asked
  }
}
