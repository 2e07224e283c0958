import { type ChatMessage, type InferenceRequest, modelId, requestId, type Sampling } from '@shoal/core'
import type { ChatMessage__Output as WireMessageRead } from '../generated/shoal/v1/ChatMessage.ts'
import type { GenerateRequest as Wire, GenerateRequest__Output as WireRead } from '../generated/shoal/v1/GenerateRequest.ts'
import type { LogitBias__Output as WireLogitBiasRead } from '../generated/shoal/v1/LogitBias.ts'
import type { Sampling as WireSampling, Sampling__Output as WireSamplingRead } from '../generated/shoal/v1/Sampling.ts'
import { finiteOrNull, integerOrNull, invalidField, parseFinite, parseOneOf, requireMessage, requireText } from './parse.ts'

const roles = ['system', 'user', 'assistant', 'tool'] as const
const tokenIdPattern = /^\d{1,10}$/

export function encodeInferenceRequest(request: InferenceRequest): Wire {
  const wire: Wire = {
    requestId: request.requestId,
    modelId: request.modelId,
    epoch: request.epoch,
    messages: [...request.messages],
    sampling: encodeSampling(request.sampling),
    thinking: request.thinking,
  }
  if (request.tokensMax !== null) wire.tokensMax = request.tokensMax
  return wire
}

/** Ranges of the sampling parameters are the gateway's and the engine's matter; here every value only has to be one. */
export function parseInferenceRequest(wire: WireRead): InferenceRequest {
  return {
    requestId: requestId(requireText(wire.requestId, 'request_id')),
    modelId: modelId(requireText(wire.modelId, 'model_id')),
    epoch: wire.epoch,
    messages: wire.messages.map(parseMessage),
    sampling: parseSampling(requireMessage(wire.sampling, 'sampling')),
    tokensMax: wire.tokensMax ?? null,
    thinking: wire.thinking,
  }
}

function parseMessage(wire: WireMessageRead): ChatMessage {
  return { role: parseOneOf(wire.role, roles, 'messages.role'), content: wire.content }
}

function encodeSampling(sampling: Sampling): WireSampling {
  const wire: WireSampling = {}
  if (sampling.temperature !== null) wire.temperature = sampling.temperature
  if (sampling.topP !== null) wire.topP = sampling.topP
  if (sampling.topK !== null) wire.topK = sampling.topK
  if (sampling.minP !== null) wire.minP = sampling.minP
  if (sampling.frequencyPenalty !== null) wire.frequencyPenalty = sampling.frequencyPenalty
  if (sampling.presencePenalty !== null) wire.presencePenalty = sampling.presencePenalty
  if (sampling.repeatPenalty !== null) wire.repeatPenalty = sampling.repeatPenalty
  if (sampling.seed !== null) wire.seed = sampling.seed
  if (sampling.logitBias !== null) wire.logitBias = { biases: { ...sampling.logitBias } }
  return wire
}

function parseSampling(wire: WireSamplingRead): Sampling {
  return {
    temperature: finiteOrNull(wire.temperature, 'sampling.temperature'),
    topP: finiteOrNull(wire.topP, 'sampling.top_p'),
    topK: wire.topK ?? null,
    minP: finiteOrNull(wire.minP, 'sampling.min_p'),
    frequencyPenalty: finiteOrNull(wire.frequencyPenalty, 'sampling.frequency_penalty'),
    presencePenalty: finiteOrNull(wire.presencePenalty, 'sampling.presence_penalty'),
    repeatPenalty: finiteOrNull(wire.repeatPenalty, 'sampling.repeat_penalty'),
    seed: integerOrNull(wire.seed, 'sampling.seed'),
    logitBias: wire.logitBias ? parseLogitBias(wire.logitBias) : null,
  }
}

function parseLogitBias(wire: WireLogitBiasRead): Record<string, number> {
  const biases: Record<string, number> = {}
  for (const [tokenId, bias] of Object.entries(wire.biases)) {
    if (!tokenIdPattern.test(tokenId)) throw invalidField('sampling.logit_bias', 'has a key that is not a token id')
    biases[tokenId] = parseFinite(bias, 'sampling.logit_bias')
  }
  return biases
}
