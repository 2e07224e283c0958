import type { Sampling } from '@shoal/core'
import { type LlamaModel, type SequenceEvaluateOptions, type Token, TokenBias } from 'node-llama-cpp'

/** What a GGUF recommends under `general.sampling.*`; null = it does not say. */
export interface RecommendedSampling {
  readonly temperature: number | null
  readonly topP: number | null
  readonly topK: number | null
  readonly minP: number | null
}

/** llama.cpp's own defaults (common/common.h, `common_params_sampling`). */
const fallback = { temperature: 0.8, topP: 0.95, topK: 40, minP: 0.05 } as const

export interface ResolvedSampling {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly seed: number
}

/** What was asked, else what the file recommends, else llama.cpp's defaults. @param randomSeed taken where no seed was asked */
export function resolveSampling(asked: Sampling, recommended: RecommendedSampling, randomSeed: number): ResolvedSampling {
  return {
    temperature: asked.temperature ?? recommended.temperature ?? fallback.temperature,
    topP: asked.topP ?? recommended.topP ?? fallback.topP,
    topK: asked.topK ?? recommended.topK ?? fallback.topK,
    minP: asked.minP ?? recommended.minP ?? fallback.minP,
    seed: (asked.seed ?? randomSeed) % 2 ** 32,
  }
}

/**
 * Options for `sequence.evaluate`. Penalties look at the generated ids only, as OpenAI defines them.
 *
 * @param generated grows while the sequence is evaluated; read before each sample
 */
export function createEvaluateOptions(options: {
  readonly model: LlamaModel
  readonly sampling: Sampling
  readonly resolved: ResolvedSampling
  readonly generated: Token[]
  readonly generatedMax: number
}): SequenceEvaluateOptions {
  const { model, sampling, resolved, generated } = options
  const evaluate: SequenceEvaluateOptions = { ...resolved }
  const penalties = {
    penalty: sampling.repeatPenalty ?? 1,
    frequencyPenalty: sampling.frequencyPenalty ?? 0,
    presencePenalty: sampling.presencePenalty ?? 0,
  }
  if (penalties.penalty !== 1 || penalties.frequencyPenalty !== 0 || penalties.presencePenalty !== 0)
    evaluate.repeatPenalty = { ...penalties, punishTokens: () => generated, maxPunishTokens: options.generatedMax }
  const biases = Object.entries(sampling.logitBias ?? {})
  if (biases.length > 0) {
    const bias = TokenBias.for(model)
    for (const [tokenId, logit] of biases) bias.set(Number(tokenId) as Token, logit <= -100 ? 'never' : { logit })
    evaluate.tokenBias = bias
  }
  return evaluate
}
