import type { MetadataLookup } from './metadata-lookup.ts'

/** Which blocks keep a KV cache and which keep recurrent state; some architectures (falcon-h1) keep both in every block. */
export interface LayerKinds {
  readonly attentionLayerCount: number
  readonly recurrentLayerCount: number
}

/** Gated delta net and full attention take turns; the interval may be left out of the file (llama.cpp, qwen35.cpp and its siblings). */
const intervalArchitectures: ReadonlySet<string> = new Set(['qwen3next', 'qwen35', 'qwen35moe'])
const intervalDefault = 4
/** No block has attention (llama.cpp, llm_arch_is_recurrent). */
const recurrentArchitectures: ReadonlySet<string> = new Set(['mamba', 'mamba2', 'rwkv6', 'rwkv6qwen2', 'rwkv7', 'arwkv7'])
/** Every block has both. */
const parallelArchitectures: ReadonlySet<string> = new Set(['falcon-h1'])

/** `layers` excludes blocks for multi-token prediction, which the main pass does not run. */
export function layerKindsOf(lookup: MetadataLookup, architecture: string, layers: number): LayerKinds {
  if (recurrentArchitectures.has(architecture)) return { attentionLayerCount: 0, recurrentLayerCount: layers }
  if (parallelArchitectures.has(architecture)) return { attentionLayerCount: layers, recurrentLayerCount: layers }

  const recurrent = lookup.flagPerLayer(`${architecture}.attention.recurrent_layers`, layers)
  if (recurrent !== null) return split(layers, recurrent.filter(Boolean).length)

  if (intervalArchitectures.has(architecture)) {
    const interval = lookup.count(`${architecture}.full_attention_interval`) ?? intervalDefault
    // Layer i has full attention when (i + 1) % interval == 0.
    return split(layers, interval === 0 ? 0 : layers - Math.floor(layers / interval))
  }

  // Other hybrids (jamba, granite hybrid, lfm2, kimi linear) give recurrent blocks no KV heads.
  const headsKv = lookup.countPerLayer(`${architecture}.attention.head_count_kv`, layers)
  return split(layers, headsKv === null ? 0 : headsKv.filter((heads) => heads === 0).length)
}

const split = (layers: number, recurrentLayerCount: number): LayerKinds => ({
  attentionLayerCount: layers - recurrentLayerCount,
  recurrentLayerCount,
})
