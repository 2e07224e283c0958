/** How many ids two lists have in common from the start. */
export function countCommonPrefix(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length)
  let same = 0
  while (same < length && a[same] === b[same]) same++
  return same
}

export interface SlotState {
  /** Ids whose state the slot holds. */
  readonly cachedTokenIds: readonly number[]
  /** Order of last use; lower is longer ago. */
  readonly lastUsed: number
}

/**
 * Index of the free slot to serve a prompt with.
 *
 * The slot that shares the longest prefix wins if that is most of what it holds or most of what is asked: else a common system
 * prompt would let every new conversation overwrite another one's cache. Otherwise the slot that was used longest ago, empty
 * ones first.
 */
export function chooseSlot(free: readonly SlotState[], promptTokenIds: readonly number[]): number {
  let best = -1
  let bestShared = 0
  for (const [index, slot] of free.entries()) {
    const shared = countCommonPrefix(slot.cachedTokenIds, promptTokenIds)
    if (shared > bestShared && shared * 2 >= Math.min(slot.cachedTokenIds.length, promptTokenIds.length)) {
      best = index
      bestShared = shared
    }
  }
  if (best !== -1) return best
  let oldest = -1
  for (const [index, slot] of free.entries()) {
    const current = free[oldest]
    if (current === undefined || isColder(slot, current)) oldest = index
  }
  return oldest
}

function isColder(slot: SlotState, than: SlotState): boolean {
  const empty = slot.cachedTokenIds.length === 0
  const otherEmpty = than.cachedTokenIds.length === 0
  return empty === otherEmpty ? slot.lastUsed < than.lastUsed : empty
}
