import { describe, expect, it } from 'vitest'
import { type CatalogModel, catalog, catalogEntries, catalogModelId, catalogSource, findCatalogModel } from './catalog.ts'

const model = (id: string): CatalogModel => {
  const found = findCatalogModel(id)
  if (found === null) throw new Error(`no ${id}`)
  return found
}

describe('the data', () => {
  it('has the shape the types promise', () => {
    const numberOrNull = ['parameterCount', 'decodeReadFraction', 'contextTokensTrained', 'layerCount', 'attentionLayerCount'] as const
    for (const each of catalog) {
      expect(each.id).toMatch(/^[a-z0-9.-]+$/)
      expect(['chat', 'embedding', 'reranker']).toContain(each.kind)
      expect([true, false, null]).toContain(each.thinking)
      expect(['enable_thinking', 'reasoning_effort', null]).toContain(each.thinkingSwitch)
      for (const key of numberOrNull) expect(each[key] === null || Number.isFinite(each[key])).toBe(true)
      for (const score of Object.values(each.scores)) expect(score > 0 && score < 100).toBe(true)
      expect(each.files.length).toBeGreaterThan(0)
      for (const file of each.files) {
        expect(file.repo).toMatch(/^[\w.-]+\/[\w.-]+$/)
        expect(file.file).toMatch(/\.gguf$/)
        expect(file.quantization).toMatch(/^[A-Z0-9_-]+$/)
        expect(Number.isSafeInteger(file.bytes) && file.bytes > 1e8).toBe(true)
        expect(file.sha256 === null || /^[0-9a-f]{64}$/.test(file.sha256)).toBe(true)
        expect(file.revision === null || /^[0-9a-f]{40}$/.test(file.revision)).toBe(true)
        expect(file.parts > 1).toBe(/-00001-of-/.test(file.file))
      }
    }
  })

  it('names no model and no file twice', () => {
    expect(new Set(catalog.map((each) => each.id)).size).toBe(catalog.length)
    const ids = catalogEntries().map(({ file }) => catalogModelId(file).toLowerCase())
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  })

  it.each([
    ['qwen3.5-0.8b', 12_288],
    ['qwen3.5-2b', 12_288],
    ['qwen3.5-4b', 32_768],
    ['qwen3.5-9b', 32_768],
    ['qwen3.5-27b', 65_536],
    ['qwen3.5-35b-a3b', 20_480],
    ['qwen3.5-122b-a10b', 24_576],
    ['gpt-oss-20b', 24_576],
    ['gpt-oss-120b', 36_864],
    ['qwen3-30b-a3b-instruct-2507', 98_304],
    ['llama-3.2-3b-instruct', 114_688],
    ['phi-4', 204_800],
    ['mistral-small-3.2-24b-instruct-2506', 163_840],
  ])('%s takes %i bytes of KV cache per token, by its dimensions', (id, bytes) => {
    const { fullAttentionLayerCount, headCountKv, keyLength, valueLength, kvBytesPerToken } = model(id)
    expect(kvBytesPerToken).toBe(bytes)
    expect((fullAttentionLayerCount ?? 0) * (headCountKv ?? 0) * ((keyLength ?? 0) + (valueLength ?? 0)) * 2).toBe(bytes)
  })

  it.each([
    ['qwen3.5-0.8b', 20_201_472],
    ['qwen3.5-2b', 20_201_472],
    ['qwen3.5-4b', 52_690_944],
    ['qwen3.5-9b', 52_690_944],
    ['qwen3.5-27b', 156_893_184],
    ['qwen3.5-35b-a3b', 65_863_680],
    ['qwen3.5-122b-a10b', 156_303_360],
  ])('%s keeps %i bytes of recurrent state per sequence, by its dimensions', (id, bytes) => {
    const { recurrent, recurrentStateBytesPerSequence, layerCount, attentionLayerCount } = model(id)
    if (recurrent === null) throw new Error('no recurrent layers')
    const { convolutionKernel, stateLength, groupCount, innerLength } = recurrent
    // llama.cpp: the convolution's last inputs (n_embd_r) and the state (n_embd_s), f32, per layer that is not full attention.
    const perLayer = (convolutionKernel - 1) * (innerLength + 2 * groupCount * stateLength) + stateLength * innerLength
    expect(((layerCount ?? 0) - (attentionLayerCount ?? 0)) * perLayer * 4).toBe(bytes)
    expect(recurrentStateBytesPerSequence).toBe(bytes)
  })

  it.each([
    ['qwen3.5-9b', 7_936_684_544, 8_953_803_264],
    ['qwen3.5-27b', 25_624_600_064, 26_895_998_464],
    ['qwen3.5-35b-a3b', 2_946_429_568, 34_660_610_688],
    ['qwen3.5-122b-a10b', 9_008_449_536, 122_111_526_912],
  ])('%s reads the share of its parameters that a token needs', (id, readParameters, parameters) => {
    expect(model(id).parameterCount).toBe(parameters)
    expect(model(id).decodeReadFraction).toBeCloseTo(readParameters / parameters, 4)
  })
})

it('gives an agent what it takes to check a file, and no rounded size or digest of a part', () => {
  const whole = model('qwen3.5-4b').files[0]
  expect(whole && catalogSource(whole)).toEqual({
    kind: 'hub',
    repo: 'unsloth/Qwen3.5-4B-GGUF',
    file: 'Qwen3.5-4B-Q4_K_M.gguf',
    revision: expect.stringMatching(/^e87f176479d0/),
    bytes: 2_740_937_888,
    sha256: expect.stringMatching(/^00fe7986ff5f6b46/),
  })
  const rounded = model('qwen3.5-2b').files.find((file) => !file.bytesAreExact)
  expect(rounded && catalogSource(rounded).bytes).toBeNull()
  const split = model('qwen3.5-122b-a10b').files.find((file) => file.parts > 1 && file.sha256 !== null)
  expect(split && catalogSource(split)).toMatchObject({ bytes: null, sha256: null })
})

it('finds a model by its id in any case, and says null otherwise', () => {
  expect(findCatalogModel('Qwen3.5-4B')?.name).toBe('Qwen3.5-4B')
  expect(findCatalogModel('qwen3.5')).toBeNull()
})
