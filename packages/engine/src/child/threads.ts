/**
 * Threads for decoding where nobody asked for a number: one core stays free for everything else.
 * ggml's threads spin while they wait for each other, so one thread more than there are idle cores costs far more than one less.
 *
 * @param machine.mathCores physical performance cores, as llama.cpp counts them
 * @param machine.available what affinity and cgroup quota leave to this process
 */
export function chooseThreads(machine: { readonly mathCores: number; readonly available: number }): number {
  return Math.max(1, Math.min(machine.mathCores, machine.available) - 1)
}
