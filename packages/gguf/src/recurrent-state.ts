import type { MetadataLookup } from './metadata-lookup.ts'

const floatBytes = 4

export interface RecurrentStateOptions {
  readonly lookup: MetadataLookup
  readonly architecture: string
  readonly embeddingLength: number
  readonly headCount: number
}

/**
 * Bytes of recurrent state that one sequence takes in one recurrent layer; f32 whatever the KV cache's type.
 * llama.cpp's `llama_hparams::n_embd_r` (the convolution's last inputs) + `n_embd_s` (the state itself), for its families:
 * RWKV, short convolution (lfm2), Kimi delta attention, and Mamba together with the gated delta net of Qwen.
 */
export function recurrentStateBytesPerLayer(options: RecurrentStateOptions): number {
  const { lookup, architecture, embeddingLength, headCount } = options
  const count = (key: string): number | null => lookup.count(`${architecture}.${key}`)

  const wkvHeadSize = count('wkv.head_size') ?? 0
  if (wkvHeadSize > 0) return floatBytes * embeddingLength * ((count('token_shift_count') ?? 2) + wkvHeadSize)

  const shortConvolution = count('shortconv.l_cache') ?? 0
  if (shortConvolution > 0) return floatBytes * embeddingLength * (shortConvolution - 1)

  const convolutionKernel = count('ssm.conv_kernel') ?? 0
  const deltaHeadLength = count('kda.head_dim') ?? 0
  if (deltaHeadLength > 0) {
    const history = convolutionKernel > 0 ? convolutionKernel - 1 : 3
    return floatBytes * headCount * (3 * history * deltaHeadLength + deltaHeadLength * deltaHeadLength)
  }

  const inner = count('ssm.inner_size') ?? 0
  const state = count('ssm.state_size') ?? 0
  const groups = count('ssm.group_count') ?? 0
  const history = Math.max(0, convolutionKernel - 1)
  return floatBytes * (history * (inner + 2 * groups * state) + state * inner)
}
