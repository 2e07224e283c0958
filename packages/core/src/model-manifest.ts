/** Bytes of one kind of tensor, summed over all layers, as stored in the file. */
export interface TensorGroupBytes {
  /** Input embedding (`token_embd`). Read once per token row, not as a whole. */
  readonly embedding: number
  /** Output head (`output.weight`); 0 when tied to the embedding. */
  readonly output: number
  /** Attention, delta-net and convolution tensors of all blocks. */
  readonly attention: number
  /** Dense feed-forward tensors, shared experts and routers. */
  readonly feedForward: number
  /** Routed experts (`*_exps`). */
  readonly experts: number
  /** Norms and everything else. */
  readonly other: number
}

export interface ExpertShape {
  /** Experts per MoE layer. */
  readonly count: number
  /** Experts used per token (top-k). */
  readonly usedCount: number
  /** Hidden width of one expert. */
  readonly feedForwardLength: number | null
}

/** What is known of one GGUF from its header; null = the file does not say. */
export interface ModelManifest {
  /** `general.architecture`, for example `qwen35`. */
  readonly architecture: string
  readonly name: string | null
  /** Label of the dominating quantisation, for example `Q4_K_M`, from `general.file_type`. */
  readonly quantization: string | null
  readonly parameterCount: number
  /** Bytes of all parts of the file set together. */
  readonly fileBytes: number
  readonly tensorGroupBytes: TensorGroupBytes
  readonly contextTokensTrained: number | null
  readonly layerCount: number
  /** Layers with a KV cache; below `layerCount` for hybrid models. */
  readonly attentionLayerCount: number
  readonly embeddingLength: number
  readonly headCount: number
  readonly headCountKv: number
  /** Width of one key head and of one value head. */
  readonly keyLength: number
  readonly valueLength: number
  readonly slidingWindowTokens: number | null
  readonly vocabularySize: number
  readonly expert: ExpertShape | null
  /** Bytes of recurrent state per sequence (f32, whatever the KV type); 0 for plain transformers. */
  readonly recurrentStateBytesPerSequence: number
  readonly chatTemplate: string | null
  /** The file calls itself a demonstration: it babbles and knows nothing. */
  readonly isDemo: boolean
}

/** A GGUF on this machine. */
export interface LocalModel {
  readonly modelId: string
  /** Absolute path of the (first part of the) file. */
  readonly path: string
  /** SHA-256 of the file in hex, or null while it is not known. */
  readonly sha256: string | null
  readonly manifest: ModelManifest
}
