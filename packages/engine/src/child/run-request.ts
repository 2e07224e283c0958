import { randomInt } from 'node:crypto'
import { type FinishReason, type InferenceRequest, ShoalError } from '@shoal/core'
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import type { Seat } from './decode-rounds.ts'
import { createEvaluateOptions, type RecommendedSampling, resolveSampling } from './evaluate-options.ts'
import type { Prompt } from './prompt.ts'
import { createTextStream } from './text-stream.ts'

export interface RunContext {
  readonly model: LlamaModel
  readonly sequence: LlamaContextSequence
  readonly seat: Seat
  readonly contextTokens: number
  readonly recommended: RecommendedSampling
  readonly signal: AbortSignal
  onAccepted(cachedTokens: number): void
  onTokens(tokenIds: number[], text: string): void
}

/**
 * Prefills what the sequence does not hold yet, then generates until the model stops, `tokensMax` or the context is full.
 *
 * Rejects with CANCELLED at the first batch boundary after the signal. Whatever was evaluated stays in the sequence.
 */
export async function runRequest(request: InferenceRequest, prompt: Prompt, run: RunContext): Promise<FinishReason> {
  const { sequence } = run
  const promptIds = prompt.tokenIds as readonly Token[]
  // At least one token has to be evaluated for there to be logits; asking for less keeps recurrent state usable.
  await sequence.adaptStateToTokens(promptIds.slice(0, -1), false)
  throwIfCancelled(run.signal)
  run.onAccepted(sequence.nextTokenIndex)
  await prefill(promptIds, prompt.stableTokens, run)
  return generate(request, promptIds, run)
}

/**
 * Evaluates what does not fit into one decode with the last id, a batch at a time, and keeps a checkpoint where the next turn will
 * probably begin. Returns with the turn in which the rest is to be evaluated.
 */
async function prefill(promptIds: readonly Token[], stableTokens: number, run: RunContext): Promise<void> {
  const { sequence, seat } = run
  const checkpointAt =
    sequence.needsCheckpoints && stableTokens > sequence.nextTokenIndex ? Math.min(stableTokens, promptIds.length - 1) : 0
  for (;;) {
    const from = sequence.nextTokenIndex
    const granted = await seat.turn((from < checkpointAt ? checkpointAt : promptIds.length) - from)
    throwIfCancelled(run.signal)
    if (from >= checkpointAt && from + granted >= promptIds.length) return
    await sequence.evaluateWithoutGeneratingNewTokens(promptIds.slice(from, from + granted))
    throwIfCancelled(run.signal)
    if (sequence.nextTokenIndex !== checkpointAt) continue
    seat.rest()
    await sequence.takeCheckpoint()
  }
}

async function generate(request: InferenceRequest, promptIds: readonly Token[], run: RunContext): Promise<FinishReason> {
  const { sequence, seat, model } = run
  // A context of n ids holds n - 1 evaluated ones and the one sampled last.
  const room = run.contextTokens - promptIds.length
  const tokensMax = Math.min(request.tokensMax ?? room, room)
  if (tokensMax <= 0) return 'length'
  const generated: Token[] = []
  const resolved = resolveSampling(request.sampling, run.recommended, randomInt(2 ** 32))
  const options = createEvaluateOptions({ model, sampling: request.sampling, resolved, generated, generatedMax: tokensMax })
  const text = createTextStream((ids, before) => model.detokenize(ids as Token[], false, before as Token[]), promptIds)
  const finish = (reason: FinishReason) => {
    const rest = text.end()
    if (rest !== '') run.onTokens([], rest)
    return reason
  }
  const tokens = sequence.evaluate(promptIds.slice(sequence.nextTokenIndex), options)
  try {
    for (;;) {
      const { done, value: tokenId } = await tokens.next()
      if (done === true) return finish('stop')
      throwIfCancelled(run.signal)
      generated.push(tokenId)
      const isLast = generated.length >= tokensMax
      const turn = isLast ? null : seat.turn(1)
      run.onTokens([tokenId], text.push(tokenId))
      if (turn === null) return finish('length')
      await turn
      throwIfCancelled(run.signal)
    }
  } finally {
    await tokens.return()
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'The request was cancelled.' })
}
