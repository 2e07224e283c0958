import type { GgufHeader } from './header.ts'
import type { TensorInfo } from './tensor-info.ts'

/** Bytes of a file. */
export interface ByteRange {
  /** From the start of the file. */
  readonly offset: number
  readonly length: number
}

export interface TensorRange extends ByteRange {
  readonly name: string
}

/** Where every tensor of one file lies. */
export const tensorByteRanges = (header: GgufHeader): readonly TensorRange[] =>
  header.tensors.map((tensor) => ({ name: tensor.name, offset: header.dataOffset + tensor.offset, length: tensor.bytes }))

/** Weights and biases of routed experts, of all experts in one tensor: `blk.N.ffn_up_exps.weight` and its like. */
export const isExpertTensor = (tensor: TensorInfo): boolean => /^blk\.\d+\.ffn_\w+_exps\.(weight|bias)$/.test(tensor.name)

/**
 * Where expert `expert` lies inside a tensor of routed experts. The last dimension counts the experts, so each is one contiguous range.
 * @throws RangeError for another kind of tensor or an expert that is not there.
 */
export function expertByteRange(header: GgufHeader, tensor: TensorInfo, expert: number): ByteRange {
  const experts = tensor.dims.at(-1) ?? 0
  if (!isExpertTensor(tensor) || tensor.dims.length < 2) throw new RangeError(`${tensor.name} holds no routed experts`)
  if (!Number.isInteger(expert) || expert < 0 || expert >= experts)
    throw new RangeError(`${tensor.name} has no expert ${expert} of ${experts}`)
  const length = tensor.bytes / experts
  return { offset: header.dataOffset + tensor.offset + expert * length, length }
}
