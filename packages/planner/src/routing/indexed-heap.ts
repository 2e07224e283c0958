/** A place in a heap; belongs to one heap, and `index` is -1 once the value has left it. */
export interface HeapEntry<Value> {
  readonly value: Value
  index: number
}

/** Binary min-heap that can also remove from the middle: push, pop and remove are O(log n), peek is O(1). */
export interface IndexedHeap<Value> {
  readonly size: number
  peek(): Value | undefined
  push(value: Value): HeapEntry<Value>
  pop(): Value | undefined
  /** Does nothing for an entry that has already left. */
  remove(entry: HeapEntry<Value>): void
}

/** `before(a, b)`: a comes out earlier than b. Values must not change their order while they are inside. */
export function createIndexedHeap<Value>(before: (a: Value, b: Value) => boolean): IndexedHeap<Value> {
  const entries: HeapEntry<Value>[] = []

  const place = (entry: HeapEntry<Value>, index: number): void => {
    entries[index] = entry
    entry.index = index
  }

  const siftUp = (entry: HeapEntry<Value>): void => {
    let index = entry.index
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = entries[parentIndex]
      if (parent === undefined || !before(entry.value, parent.value)) break
      place(parent, index)
      index = parentIndex
    }
    place(entry, index)
  }

  const siftDown = (entry: HeapEntry<Value>): void => {
    let index = entry.index
    for (;;) {
      const left = entries[index * 2 + 1]
      const right = entries[index * 2 + 2]
      if (left === undefined) break
      const child = right !== undefined && before(right.value, left.value) ? right : left
      if (!before(child.value, entry.value)) break
      const childIndex = child.index
      place(child, index)
      index = childIndex
    }
    place(entry, index)
  }

  const remove = (entry: HeapEntry<Value>): void => {
    if (entries[entry.index] !== entry) return
    const index = entry.index
    const last = entries.pop()
    entry.index = -1
    if (last === undefined || last === entry) return
    place(last, index)
    siftUp(last)
    siftDown(last)
  }

  return {
    get size() {
      return entries.length
    },
    peek: () => entries[0]?.value,
    push(value) {
      const entry: HeapEntry<Value> = { value, index: entries.length }
      entries.push(entry)
      siftUp(entry)
      return entry
    },
    pop() {
      const first = entries[0]
      if (first !== undefined) remove(first)
      return first?.value
    },
    remove,
  }
}
