import type { RecommendedSampling } from './evaluate-options.ts'

/**
 * Sampling that the makers of a model recommend in its file.
 *
 * @param general the `general.*` metadata, nested; keys as llama.cpp writes them (src/llama-arch.cpp, `general.sampling.*`)
 */
export function readRecommendedSampling(general: unknown): RecommendedSampling {
  const sampling = isRecord(general) ? general.sampling : null
  const read = (key: string): number | null => {
    const value = isRecord(sampling) ? sampling[key] : null
    return typeof value === 'number' && Number.isFinite(value) ? value : null
  }
  return { temperature: read('temp'), topP: read('top_p'), topK: read('top_k'), minP: read('min_p') }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
