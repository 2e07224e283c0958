import { randomInt } from 'node:crypto'
import { type FinishReason, type InferenceRequest, ShoalError } from '@shoal/core'
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import type { BatchPacer } from './batch-pacer.ts'
import { createEvaluateOptions, type RecommendedSampling, resolveSampling } from './evaluate-options.ts'
import type { Prompt } from './prompt.ts'
import { createTextStream } from './text-stream.ts'

export interface RunContext {
  readonly model: LlamaModel
  readonly sequence: LlamaContextSequence
  readonly pacer: BatchPacer
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

/** Evaluates the ids that do not fit into the last decode, one batch at a time; keeps a checkpoint where the next turn will probably begin. */
async function prefill(promptIds: readonly Token[], stableTokens: number, run: RunContext): Promise<void> {
  const { sequence, pacer } = run
  const checkpointAt =
    sequence.needsCheckpoints && stableTokens > sequence.nextTokenIndex ? Math.min(stableTokens, promptIds.length - 1) : 0
  for (;;) {
    const from = sequence.nextTokenIndex
    if (from >= checkpointAt && promptIds.length - from <= pacer.chunkTokens()) return
    const border = from < checkpointAt ? checkpointAt : promptIds.length - 1
    pacer.evaluationQueued()
    try {
      await sequence.evaluateWithoutGeneratingNewTokens(promptIds.slice(from, Math.min(from + pacer.chunkTokens(), border)))
    } finally {
      pacer.evaluationEnded()
    }
    throwIfCancelled(run.signal)
    if (sequence.nextTokenIndex === checkpointAt) await sequence.takeCheckpoint()
  }
}

async function generate(request: InferenceRequest, promptIds: readonly Token[], run: RunContext): Promise<FinishReason> {
  const { sequence, pacer, model } = run
  // A context of n ids holds n - 1 evaluated ones and the one sampled last.
  const room = run.contextTokens - promptIds.length
  const tokensMax = Math.min(request.tokensMax ?? room, room)
  if (tokensMax <= 0) return 'length'
  const generated: Token[] = []
  const resolved = resolveSampling(request.sampling, run.recommended, randomInt(2 ** 32))
  const options = createEvaluateOptions({ model, sampling: request.sampling, resolved, generated, generatedMax: tokensMax })
  const text = createTextStream((ids, before) => model.detokenize(ids as Token[], false, before as Token[]), promptIds)
  const tokens = sequence.evaluate(promptIds.slice(sequence.nextTokenIndex), options)
  const take = () => {
    pacer.evaluationQueued()
    return tokens.next()
  }
  const finish = (reason: FinishReason) => {
    const rest = text.end()
    if (rest !== '') run.onTokens([], rest)
    return reason
  }
  let step = take()
  try {
    for (;;) {
      const { done, value: tokenId } = await step
      pacer.evaluationEnded()
      if (done === true) return finish('stop')
      throwIfCancelled(run.signal)
      generated.push(tokenId)
      const isLast = generated.length >= tokensMax
      // The next decode runs while this token is turned into text and sent.
      if (!isLast) step = take()
      run.onTokens([tokenId], text.push(tokenId))
      if (isLast) return finish('length')
    }
  } finally {
    await tokens.return()
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'The request was cancelled.' })
}
