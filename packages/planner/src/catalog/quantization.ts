/**
 * Points of quality (of 100) that a quantisation costs, by how many bits it keeps. An estimate in the order that published
 * perplexity and KL-divergence comparisons of llama.cpp's formats agree on; it decides between files of one model, and between neighbours in rank,
 * not more. Formats a model was trained in (MXFP4 of gpt-oss) cost nothing, see `rankOf`.
 */
const pointsByFormat: readonly (readonly [pattern: RegExp, points: number])[] = [
  [/^(F32|F16|BF16)$/, 0],
  [/^Q8/, 0.1],
  [/^Q6/, 0.3],
  [/^Q5/, 0.6],
  [/^UD-Q4_K/, 1],
  [/^(Q4_K|IQ4|MXFP4|NVFP4)/, 1.3],
  [/^UD-IQ4/, 1.2],
  [/^Q4/, 2],
  [/^UD-I?Q3/, 3],
  [/^I?Q3/, 4],
  [/^UD-I?Q2/, 10],
  [/^I?Q2/, 13],
  [/^(UD-)?I?Q1/, 20],
]

/** What an unknown format is taken for: no better than four bits done simply. */
const unknownFormatPoints = 2

export function quantizationPenalty(quantization: string | null): number {
  if (quantization === null) return unknownFormatPoints
  const label = quantization.toUpperCase()
  return pointsByFormat.find(([pattern]) => pattern.test(label))?.[1] ?? unknownFormatPoints
}

/**
 * The format named in a file name, in upper case: `Qwen3.5-4B-UD-Q4_K_XL.gguf` -> `UD-Q4_K_XL`; null when there is none. The last one counts,
 * for a name like `gemma-4-E2B_q4_0-it.gguf`.
 */
export function quantizationOfFileName(file: string): string | null {
  const words = /(?<![A-Za-z0-9])(?:UD-)?(?:I?Q[1-8](?:_[A-Za-z0-9]+)*|T?Q[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32)(?![A-Za-z0-9])/gi
  return (
    file
      .replace(/\.gguf$/i, '')
      .match(words)
      ?.at(-1)
      ?.toUpperCase() ?? null
  )
}
