import { requireTensorType } from '../tensor-types.ts'
import type { TensorPlan } from '../write/gguf-writer.ts'
import { halfBits } from '../write/half-float.ts'

/** A matrix as ggml stores it: `rows` rows of `columns`; multiplying it with a vector of `columns` gives one of `rows`. */
export class Matrix {
  readonly rows: number
  readonly columns: number
  readonly #values: Float32Array

  constructor(rows: number, columns: number) {
    this.rows = rows
    this.columns = columns
    this.#values = new Float32Array(rows * columns)
  }

  set(row: number, column: number, value: number): void {
    this.#values[row * this.columns + column] = value
  }

  /** As a tensor of halves. */
  plan(name: string): TensorPlan {
    const { columns } = this
    return {
      name,
      type: requireTensorType('F16'),
      dims: [columns, this.rows],
      fillRows: (target, firstRow, rowCount) => {
        const halves = new Uint16Array(target.buffer, target.byteOffset, rowCount * columns)
        for (let index = 0; index < halves.length; index += 1) {
          const value = this.#values[firstRow * columns + index] ?? 0
          if (value !== 0) halves[index] = halfBits(value)
        }
      },
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
