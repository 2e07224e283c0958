import { requireTensorType } from '../tensor-types.ts'
import type { TensorPlan } from '../write/gguf-writer.ts'
import { halfBits } from '../write/half-float.ts'

/** A matrix of halves as ggml stores it: multiplying it with a vector of `columns` gives one of `rows`. */
export class Matrix {
  readonly rows: number
  readonly columns: number
  readonly #halves: Uint16Array

  constructor(rows: number, columns: number) {
    this.rows = rows
    this.columns = columns
    this.#halves = new Uint16Array(rows * columns)
  }

  set(row: number, column: number, value: number): void {
    this.#halves[row * this.columns + column] = halfBits(value)
  }

  plan(name: string): TensorPlan {
    const { columns } = this
    return {
      name,
      type: requireTensorType('F16'),
      dims: [columns, this.rows],
      fillRows: (target, firstRow, rowCount) =>
        new Uint16Array(target.buffer, target.byteOffset, rowCount * columns).set(
          this.#halves.subarray(firstRow * columns, (firstRow + rowCount) * columns),
        ),
    }
  }
}

/** A vector of ones in single precision: a norm that only normalises. */
export function onesPlan(name: string, length: number): TensorPlan {
  return {
    name,
    type: requireTensorType('F32'),
    dims: [length],
    fillRows: (target) => new Float32Array(target.buffer, target.byteOffset, length).fill(1),
  }
}
