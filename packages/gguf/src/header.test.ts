import { ShoalError } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readGgufHeader } from './header.ts'
import { requireTensorType } from './tensor-types.ts'
import { memorySource } from './testing/memory-source.ts'
import { quickest } from './testing/quickest.ts'
import { alignUp, encodeHeader, i32s, type MetadataInputs, text, texts, u32 } from './write/header-encoder.ts'

const f32 = requireTensorType('F32')
const q8 = requireTensorType('Q8_0')
const metadata: MetadataInputs = {
  'general.architecture': text('llama'),
  'general.name': text('Grüße'),
  'llama.block_count': u32(1),
  'llama.sections': i32s([11, -11, 10, 0]),
  'tokenizer.ggml.tokens': texts(['a', 'b', '']),
}
const tensors = [
  { name: 'token_embd.weight', type: q8, dims: [64, 3] },
  { name: 'output_norm.weight', type: f32, dims: [64] },
]
const dataBytes = alignUp((64 * 3 * 34) / 32) + 64 * 4

/** A whole small file. */
function wholeFile(keys: MetadataInputs = metadata): Uint8Array {
  const { bytes } = encodeHeader(keys, tensors)
  const file = new Uint8Array(bytes.length + dataBytes)
  file.set(bytes)
  return file
}

/** The file with `patch` written at the place where `marker` begins plus `skip`. */
function patched(marker: string, skip: number, patch: readonly number[]): Uint8Array {
  const file = wholeFile()
  const at = Buffer.from(file).indexOf(marker)
  expect(at).toBeGreaterThanOrEqual(0)
  file.set(patch, at + skip)
  return file
}

const le64 = (value: bigint): number[] => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return [...bytes]
}

async function problemOf(file: Uint8Array): Promise<string> {
  const error = await readGgufHeader(memorySource(file)).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ShoalError)) throw new Error(`expected a ShoalError, got ${String(error)}`)
  expect(error.code).toBe('MODEL_FILE_INVALID')
  expect(error.remedy).not.toBe('')
  return error.message
}

test('a whole header is read with its keys, tensors and places', async () => {
  const file = wholeFile()
  const header = await readGgufHeader(memorySource(file))
  expect(header.version).toBe(3)
  expect(header.metadata.get('general.name')).toBe('Grüße')
  expect(header.metadata.get('llama.sections')).toEqual({ kind: 'array', elementType: 'i32', count: 4, values: [11, -11, 10, 0] })
  expect(header.metadata.get('tokenizer.ggml.tokens')).toEqual({ kind: 'array', elementType: 'string', count: 3, values: null })
  expect(header.tensors.map(({ name, bytes, offset }) => ({ name, bytes, offset }))).toEqual([
    { name: 'token_embd.weight', bytes: 204, offset: 0 },
    { name: 'output_norm.weight', bytes: 256, offset: 224 },
  ])
  expect(header.dataOffset + dataBytes).toBe(file.length)
})

describe('damage is named', () => {
  const embedding = 'token_embd.weight'
  const afterName = embedding.length
  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /is 0 bytes long/],
    ['another format', Buffer.from('PK\u0003\u0004 this is a zip archive, not a model'), /does not begin with "GGUF"/],
    ['version 1', patched('GGUF', 4, [1]), /version 1; versions 2 and 3/],
    ['big endian', patched('GGUF', 4, [0, 0, 0, 3]), /big-endian/],
    ['more tensors than bytes', patched('GGUF', 8, le64(5000n)), /claims 5000 tensors, the file is too short/],
    ['absurdly many tensors', patched('GGUF', 8, le64(2n ** 40n)), /claims 1099511627776 tensors, at most/],
    ['a count beyond 2^53', patched('GGUF', 16, le64(2n ** 63n)), /number of keys at byte \d+ is beyond 2\^53/],
    ['an unknown value type', patched('general.name', 12, [99]), /key general\.name has unknown type 99/],
    ['a string longer than the file', patched('general.name', 16, le64(2n ** 50n)), /file ends at byte \d+, general\.name needs/],
    ['nested arrays', patched('llama.sections', 18, [9]), /array of arrays/],
    ['an array longer than the file', patched('llama.sections', 22, le64(2n ** 45n)), /claims 35184372088832 elements/],
    ['invalid UTF-8 in a name', patched(embedding, 0, [0xff, 0xfe]), /not valid UTF-8/],
    ['too many dimensions', patched(embedding, afterName, [5]), /claims 5 dimensions/],
    ['an empty dimension', patched(embedding, afterName + 4, le64(0n)), /empty dimension/],
    ['too many elements', patched(embedding, afterName + 4, le64(2n ** 52n)), /more than 2\^53 elements/],
    ['rows that do not divide', patched(embedding, afterName + 4, le64(63n)), /rows of 63, Q8_0 needs a multiple of 32/],
    ['a removed tensor type', patched(embedding, afterName + 20, [4]), /unknown type 4/],
    ['an unaligned offset', patched(embedding, afterName + 24, le64(7n)), /begins at 7, .*alignment 32/],
    ['overlapping tensors', patched('output_norm.weight', 18 + 4 + 8 + 4, le64(32n)), /token_embd\.weight and output_norm\.weight overlap/],
    [
      'a tensor outside the file',
      patched('output_norm.weight', 34, le64(2n ** 40n)),
      /file ends at byte \d+, tensor output_norm\.weight needs \d+/,
    ],
  ])('%s', async (_, file, problem) => {
    expect(await problemOf(file)).toMatch(problem)
  })

  test('a key that appears twice', async () => {
    const keys = { 'general.aaaa': u32(1), 'general.bbbb': u32(2) }
    const file = wholeFile(keys)
    file.set(Buffer.from('general.aaaa'), Buffer.from(file).indexOf('general.bbbb'))
    expect(await problemOf(file)).toMatch(/key general\.aaaa appears twice/)
  })

  test('a tensor that appears twice', async () => {
    const { bytes } = encodeHeader({}, [
      { name: 'aa', type: f32, dims: [8] },
      { name: 'bb', type: f32, dims: [8] },
    ])
    const file = new Uint8Array(bytes.length + 64)
    file.set(bytes)
    file.set(Buffer.from('aa'), Buffer.from(file).indexOf('bb'))
    expect(await problemOf(file)).toMatch(/tensor aa appears twice/)
  })

  test.each([0, 3, 48])('an alignment of %i', async (alignment) => {
    expect(await problemOf(wholeFile({ 'general.alignment': u32(alignment) }))).toMatch(/power of two/)
  })
})

test('a file cut at any byte is refused, with the place named', async () => {
  const file = wholeFile()
  for (let length = 0; length < file.length; length += 1) {
    expect(await problemOf(file.subarray(0, length))).toMatch(/ends at byte|bytes long|too short|cannot hold/)
  }
})

test('a header with random damage is read or refused within 100 ms, and never reads beyond the file', async () => {
  const file = wholeFile()
  const headerBytes = file.length - dataBytes
  const damage = fc.array(fc.tuple(fc.nat(headerBytes - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))), {
    minLength: 1,
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(damage, fc.boolean(), async (changes, isCut) => {
      const mutated = file.slice(0, isCut ? 24 + ((changes[0]?.[0] ?? 0) % (file.length - 24)) : file.length)
      for (const [at, value] of changes) mutated[at] = value
      const source = memorySource(mutated)
      const { outcome, tookMs } = await quickest(100, () => readGgufHeader(source).catch((error: unknown) => error))
      if (outcome instanceof Error) expect(outcome).toMatchObject({ name: 'ShoalError', code: 'MODEL_FILE_INVALID' })
      expect(tookMs).toBeLessThan(100)
      for (const { offset, length } of source.reads) expect(offset + length).toBeLessThanOrEqual(mutated.length)
    }),
    { numRuns: 3000 },
  )
})

test('a vocabulary of 250,000 tokens is counted, not kept, and read once in a few windows', async () => {
  const words = Array.from({ length: 250_000 }, (_, index) => `token-${index}`)
  const { bytes } = encodeHeader({ 'tokenizer.ggml.tokens': texts(words), 'general.architecture': text('llama') }, [])
  const source = memorySource(bytes)
  const header = await readGgufHeader(source)
  expect(header.metadata.get('tokenizer.ggml.tokens')).toEqual({ kind: 'array', elementType: 'string', count: 250_000, values: null })
  expect(header.metadata.get('general.architecture')).toBe('llama')
  expect(Math.max(...source.reads.map(({ length }) => length))).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(source.reads.length).toBeLessThanOrEqual(4)
  const readBytes = source.reads.reduce((sum, { length }) => sum + length, 0)
  expect(readBytes).toBeLessThan(bytes.length + source.reads.length * 1024)
})

test('an array of endless empty strings in a huge file ends at the bound of a header, within a second', async () => {
  const { bytes } = encodeHeader({ 'tokenizer.ggml.tokens': texts([]) }, [])
  const at = Buffer.from(bytes).indexOf('tokenizer.ggml.tokens') + 21 + 8
  const claim = new Uint8Array(bytes)
  claim.set(le64(8_000_000n), at)
  const { outcome, tookMs } = await quickest(1000, () => readGgufHeader(memorySource(claim, 2 ** 40)))
  expect(outcome.metadata.get('tokenizer.ggml.tokens')).toMatchObject({ count: 8_000_000, values: null })
  expect(tookMs).toBeLessThan(1000)
  claim.set(le64(2n ** 36n), at)
  await expect(readGgufHeader(memorySource(claim, 2 ** 40))).rejects.toThrow(/claims 68719476736 elements/)
})
