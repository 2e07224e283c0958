import type { TensorPlan } from './gguf-writer.ts'
import type { DeltaNetSpec, ExpertSpec } from './model-spec.ts'
import type { WeightFactory } from './weight-plan.ts'

/** Where the tensors of one block go and how wide the stream is. */
export interface BlockPlace {
  readonly weights: WeightFactory
  readonly layer: number
  readonly embeddingLength: number
}

export interface AttentionShape {
  readonly headCount: number
  readonly headCountKv: number
  readonly headLength: number
  /** Norms of query and key heads (Qwen3 and later). */
  readonly hasHeadNorms: boolean
  /** The query projection also makes a gate for the output (Qwen3.5). */
  readonly hasGate: boolean
}

/**
 * Gains that keep greedy output of random weights lively: keys and queries large enough that attention picks single tokens, values
 * large enough that the context outweighs the current token. With all gains at 1 the output soon repeats itself.
 */
const queryGain = 2
const contextGain = 2

/** Full attention, without the norm before it. */
export function attentionTensors({ weights, layer, embeddingLength }: BlockPlace, shape: AttentionShape): readonly TensorPlan[] {
  const blk = `blk.${layer}`
  const queryLength = shape.headCount * shape.headLength
  const keyLength = shape.headCountKv * shape.headLength
  return [
    weights.matrix(`${blk}.attn_q.weight`, [embeddingLength, queryLength * (shape.hasGate ? 2 : 1)], queryGain),
    weights.matrix(`${blk}.attn_k.weight`, [embeddingLength, keyLength], queryGain),
    weights.matrix(`${blk}.attn_v.weight`, [embeddingLength, keyLength], contextGain),
    weights.matrix(`${blk}.attn_output.weight`, [queryLength, embeddingLength], contextGain),
    ...(shape.hasHeadNorms
      ? [
          weights.norm(`${blk}.attn_q_norm.weight`, shape.headLength, queryGain),
          weights.norm(`${blk}.attn_k_norm.weight`, shape.headLength, queryGain),
        ]
      : []),
  ]
}

/** Gated delta net: projections, short convolution, decay and output. */
export function deltaNetTensors({ weights, layer, embeddingLength }: BlockPlace, shape: DeltaNetSpec): readonly TensorPlan[] {
  const blk = `blk.${layer}`
  const keyLength = shape.stateLength * shape.groupCount
  const valueLength = shape.stateLength * shape.valueHeadCount
  const channels = 2 * keyLength + valueLength
  return [
    weights.matrix(`${blk}.attn_qkv.weight`, [embeddingLength, channels]),
    weights.matrix(`${blk}.attn_gate.weight`, [embeddingLength, valueLength]),
    weights.uniform(`${blk}.ssm_conv1d.weight`, [shape.convolutionKernel, channels], { from: -1, to: 1 }),
    // The state decays by exp(a * softplus(alpha + dt)) a token: here by a tenth to a third.
    weights.uniform(`${blk}.ssm_dt.bias`, [shape.valueHeadCount], { from: -3, to: -1 }),
    weights.uniform(`${blk}.ssm_a`, [shape.valueHeadCount], { from: -2, to: -0.5 }),
    weights.matrix(`${blk}.ssm_beta.weight`, [embeddingLength, shape.valueHeadCount]),
    weights.matrix(`${blk}.ssm_alpha.weight`, [embeddingLength, shape.valueHeadCount]),
    weights.norm(`${blk}.ssm_norm.weight`, shape.stateLength),
    weights.matrix(`${blk}.ssm_out.weight`, [valueLength, embeddingLength], contextGain),
  ]
}

/** Gated feed-forward network. */
export function denseTensors({ weights, layer, embeddingLength }: BlockPlace, feedForwardLength: number): readonly TensorPlan[] {
  const blk = `blk.${layer}`
  return [
    weights.matrix(`${blk}.ffn_gate.weight`, [embeddingLength, feedForwardLength]),
    weights.matrix(`${blk}.ffn_up.weight`, [embeddingLength, feedForwardLength]),
    weights.matrix(`${blk}.ffn_down.weight`, [feedForwardLength, embeddingLength]),
  ]
}

/** Router and routed experts; all experts of a projection share one three-dimensional tensor. */
export function expertTensors({ weights, layer, embeddingLength }: BlockPlace, expert: ExpertSpec): readonly TensorPlan[] {
  const blk = `blk.${layer}`
  const width = Math.sqrt(3 / embeddingLength)
  return [
    weights.uniform(`${blk}.ffn_gate_inp.weight`, [embeddingLength, expert.count], { from: -width, to: width }),
    weights.matrix(`${blk}.ffn_gate_exps.weight`, [embeddingLength, expert.feedForwardLength, expert.count]),
    weights.matrix(`${blk}.ffn_up_exps.weight`, [embeddingLength, expert.feedForwardLength, expert.count]),
    weights.matrix(`${blk}.ffn_down_exps.weight`, [expert.feedForwardLength, embeddingLength, expert.count]),
  ]
}
