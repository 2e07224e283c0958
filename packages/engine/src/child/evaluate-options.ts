import { type Sampling, ShoalError } from '@shoal/core'
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
    seed: (((asked.seed ?? randomSeed) % 2 ** 32) + 2 ** 32) % 2 ** 32,
  }
}

/**
 * Options for `sequence.evaluate`. Penalties look at the generated ids only, as OpenAI defines them.
 *
 * Throws INVALID_REQUEST or UNSUPPORTED_PARAMETER for a bias on a token that cannot have one.
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
  if (sampling.logitBias !== null) evaluate.tokenBias = createTokenBias(model, sampling.logitBias)
  return evaluate
}

function createTokenBias(model: LlamaModel, biases: Readonly<Record<string, number>>): TokenBias {
  const tokenBias = TokenBias.for(model)
  const vocabularySize = model.fileInfo.metadata.tokenizer.ggml.tokens.length
  for (const [text, logit] of Object.entries(biases)) {
    const tokenId = Number(text)
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocabularySize)
      throw new ShoalError({
        code: 'INVALID_REQUEST',
        message: `logit_bias names the token id "${text}"; this model has ids from 0 to ${vocabularySize - 1}.`,
        param: 'logit_bias',
      })
    // The library ignores such biases in silence.
    if (model.isEogToken(tokenId as Token))
      throw new ShoalError({
        code: 'UNSUPPORTED_PARAMETER',
        message: `logit_bias names the token id ${text}, which ends an answer; such tokens cannot be biased.`,
        param: 'logit_bias',
      })
    tokenBias.set(tokenId as Token, logit <= -100 ? 'never' : { logit })
  }
  return tokenBias
}
