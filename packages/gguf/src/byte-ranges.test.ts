import { expect, test } from 'vitest'
import { expertByteRange, isExpertTensor, tensorByteRanges } from './byte-ranges.ts'
import { readGgufHeader } from './header.ts'
import { requireTensorType } from './tensor-types.ts'
import { memorySource } from './testing/memory-source.ts'
import { encodeHeader } from './write/header-encoder.ts'

const experts = 32
const projection = { type: requireTensorType('MXFP4'), dims: [2880, 2880, experts] }
const bias = { type: requireTensorType('F32'), dims: [2880, experts] }
const names = ['ffn_gate_exps', 'ffn_up_exps', 'ffn_down_exps']
const { bytes } = encodeHeader({}, [
  { name: 'blk.0.ffn_gate_inp.weight', type: requireTensorType('F32'), dims: [2880, experts] },
  ...names.map((name) => ({ name: `blk.0.${name}.weight`, ...projection })),
  ...names.map((name) => ({ name: `blk.0.${name}.bias`, ...bias })),
])
const header = await readGgufHeader(memorySource(bytes, 2 ** 33))
const expertTensors = header.tensors.filter(isExpertTensor)

test('one expert of gpt-oss takes the published 13,253,760 bytes', () => {
  expect(expertTensors).toHaveLength(6)
  const lengths = expertTensors.map((tensor) => expertByteRange(header, tensor, 7).length)
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(13_253_760)
})

test('the experts of a tensor tile its range without gap', () => {
  const places = new Map(tensorByteRanges(header).map((range) => [range.name, range]))
  for (const tensor of expertTensors) {
    const place = places.get(tensor.name)
    let next = place?.offset
    for (let expert = 0; expert < experts; expert += 1) {
      const range = expertByteRange(header, tensor, expert)
      expect(range.offset).toBe(next)
      next = range.offset + range.length
    }
    expect(next).toBe((place?.offset ?? 0) + (place?.length ?? 0))
  }
})

test('another tensor and an expert beyond the last are refused', () => {
  const [router] = header.tensors
  const [first] = expertTensors
  if (router === undefined || first === undefined) throw new Error('the header above has both')
  expect(() => expertByteRange(header, router, 0)).toThrow(/holds no routed experts/)
  for (const expert of [-1, experts, 0.5]) expect(() => expertByteRange(header, first, expert)).toThrow(RangeError)
})
