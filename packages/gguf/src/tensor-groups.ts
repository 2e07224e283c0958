import type { TensorGroupBytes } from '@shoal/core'
import type { TensorInfo } from './tensor-info.ts'

type TensorGroup = keyof TensorGroupBytes

/** Tells a tensor's group by llama.cpp's naming scheme. */
function tensorGroupOf(name: string): TensorGroup {
  if (name.startsWith('token_embd.') || name.startsWith('per_layer_token_embd.')) return 'embedding'
  if (name.startsWith('output.')) return 'output'
  const part = /^blk\.\d+\.(.+)$/.exec(name)?.[1]
  if (part === undefined || /norm(\.|$)/.test(part)) return 'other'
  if (/^ffn_.*_exps(\.|$)/.test(part)) return 'experts'
  if (/^ffn_/.test(part)) return 'feedForward'
  if (/^(attn_|ssm_|shortconv\.|time_mix_|channel_mix_)/.test(part)) return 'attention'
  return 'other'
}

export interface TensorSums {
  readonly groupBytes: TensorGroupBytes
  readonly parameterCount: number
}

/** Sums over the tensors of blocks below `layers`: blocks for multi-token prediction come after them and are not loaded. */
export function sumTensors(tensors: Iterable<TensorInfo>, layers: number): TensorSums {
  const groupBytes = { embedding: 0, output: 0, attention: 0, feedForward: 0, experts: 0, other: 0 }
  let parameterCount = 0
  for (const tensor of tensors) {
    const block = /^blk\.(\d+)\./.exec(tensor.name)?.[1]
    if (block !== undefined && Number(block) >= layers) continue
    groupBytes[tensorGroupOf(tensor.name)] += tensor.bytes
    parameterCount += tensor.elements
  }
  return { groupBytes, parameterCount }
}
