import { requireTensorType } from '../tensor-types.ts'
import type { TensorPlan } from './gguf-writer.ts'
import { fillRandom, fillUniform, RandomWords, type WeightType } from './random-rows.ts'

interface UniformBounds {
  readonly from: number
  readonly to: number
}

interface HeadOptions {
  readonly gain: number
  keeps(row: number): boolean
}

/** Makes the tensors of one generated model. */
export interface WeightFactory {
  /**
   * A random matrix of the model's weight type. Its deviation is gain / sqrt(row length), so that a product keeps the scale of its input.
   * @param dims ggml order: row length first; a third dimension counts experts.
   */
  matrix(name: string, dims: readonly number[], gain?: number): TensorPlan
  /** As `matrix` with two dimensions; rows that are not kept are zero. */
  headMatrix(name: string, dims: readonly [number, number], options: HeadOptions): TensorPlan
  /** Single precision, uniform between two bounds. */
  uniform(name: string, dims: readonly number[], bounds: UniformBounds): TensorPlan
  /** Single precision, within a tenth of its gain. */
  norm(name: string, length: number, gain?: number): TensorPlan
}

export function createWeightFactory(seed: number, weightType: WeightType): WeightFactory {
  const type = requireTensorType(weightType)
  const single = requireTensorType('F32')
  const matrix: WeightFactory['matrix'] = (name, dims, gain = 1) => {
    const random = new RandomWords(seed, name)
    const deviation = gain / Math.sqrt(dims[0] ?? 1)
    return { name, type, dims, fillRows: (target) => fillRandom(target, weightType, deviation, random) }
  }
  const uniform: WeightFactory['uniform'] = (name, dims, bounds) => {
    const random = new RandomWords(seed, name)
    return { name, type: single, dims, fillRows: (target) => fillUniform(target, bounds, random) }
  }
  return {
    matrix,
    headMatrix(name, dims, { gain, keeps }) {
      const plan = matrix(name, dims, gain)
      return {
        ...plan,
        fillRows(target, firstRow, rowCount) {
          plan.fillRows(target, firstRow, rowCount)
          const rowBytes = target.length / rowCount
          for (let row = 0; row < rowCount; row += 1) {
            if (!keeps(firstRow + row)) target.fill(0, row * rowBytes, (row + 1) * rowBytes)
          }
        },
      }
    },
    uniform,
    norm: (name, length, gain = 1) => uniform(name, [length], { from: 0.9 * gain, to: 1.1 * gain }),
  }
}
