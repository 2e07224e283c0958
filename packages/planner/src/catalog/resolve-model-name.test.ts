import { ShoalError } from '@shoal/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { catalogEntries, catalogModelId } from './catalog.ts'
import { resolveModelName } from './resolve-model-name.ts'

const hub = (repo: string, file: string) => ({ kind: 'hub', repo, file, revision: null, bytes: null, sha256: null })

describe('resolveModelName', () => {
  it('takes a catalog id for its usual file', () => {
    const resolved = resolveModelName(' Qwen3.5-4B ')
    expect(resolved).toMatchObject({ kind: 'catalog', modelId: 'unsloth/Qwen3.5-4B-GGUF:Q4_K_M' })
    expect(resolved.source).toMatchObject({ kind: 'hub', file: 'Qwen3.5-4B-Q4_K_M.gguf', bytes: 2_740_937_888 })
    expect(resolveModelName('gpt-oss-120b').modelId).toBe('ggml-org/gpt-oss-120b-GGUF:MXFP4')
  })

  it('takes a quantisation after the id, in any case', () => {
    expect(resolveModelName('qwen3.5-4b:q8_0').modelId).toBe('unsloth/Qwen3.5-4B-GGUF:Q8_0')
  })

  it('says which quantisations there are when the catalog lacks the wanted one', () => {
    expect(() => resolveModelName('qwen3.5-9b:Q2_K')).toThrow('The catalog has no Q2_K of qwen3.5-9b; it has: Q4_K_M, UD-Q4_K_XL, Q8_0.')
  })

  it.each([
    ['hf:me/my-model-GGUF:q5_k_m', 'me/my-model-GGUF:Q5_K_M', hub('me/my-model-GGUF', 'Q5_K_M')],
    ['hf:me/my-model-GGUF', 'me/my-model-GGUF', hub('me/my-model-GGUF', '')],
    ['hf:me/m/sub/big-Q6_K-00001-of-00002.gguf', 'me/m:Q6_K', hub('me/m', 'sub/big-Q6_K-00001-of-00002.gguf')],
    ['hf:me/m/odd.gguf', 'me/m:odd', hub('me/m', 'odd.gguf')],
    ['me/my-model-GGUF:Q4_0', 'me/my-model-GGUF:Q4_0', hub('me/my-model-GGUF', 'Q4_0')],
  ])('takes %s to the hub', (text, id, source) => {
    expect(resolveModelName(text)).toEqual({ kind: 'hub', modelId: id, source, entry: null })
  })

  it('fills in what the catalog knows of a file at the hub', () => {
    const byLabel = resolveModelName('hf:Unsloth/qwen3.5-9b-gguf:Q8_0')
    expect(byLabel.source).toMatchObject({ repo: 'unsloth/Qwen3.5-9B-GGUF', file: 'Qwen3.5-9B-Q8_0.gguf', bytes: 9_527_502_048 })
    expect(resolveModelName('hf:unsloth/Qwen3.5-9B-GGUF/Qwen3.5-9B-Q8_0.gguf')).toEqual(byLabel)
    expect(resolveModelName('hf:unsloth/Qwen3.5-9B-GGUF').modelId).toBe('unsloth/Qwen3.5-9B-GGUF:Q4_K_M')
  })

  it.each([
    ['/models/My-Model-Q4_0.gguf', 'path', 'My-Model-Q4_0', '/models/My-Model-Q4_0.gguf'],
    ['D:\\models\\big-00001-of-00002.gguf', 'path', 'big', 'D:\\models\\big-00001-of-00002.gguf'],
    ['\\\\server\\share\\m.gguf', 'path', 'm', '\\\\server\\share\\m.gguf'],
    ['own-model.gguf', 'name', 'own-model', null],
    ['own-model', 'name', 'own-model', null],
  ])('takes %s for a local %s', (text, kind, id, path) => {
    expect(resolveModelName(text)).toEqual({ kind, modelId: id, source: { kind: 'local', path }, entry: null })
  })

  it('knows the demo model', () => {
    expect(resolveModelName('shoal-demo')).toMatchObject({ kind: 'demo', source: { kind: 'demo' } })
  })

  it.each([
    '',
    '  ',
    'hf:',
    'hf:repo',
    'hf:a/b:c:d',
    'hf:../b:Q4_0',
    'hf:a/b/../c.gguf',
    './m.gguf',
    'models/m.gguf',
    '~/m.gguf',
    '/models/readme.md',
    'a/b c',
  ])('refuses %j with INVALID_REQUEST', (text) => {
    expect(() => resolveModelName(text)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', param: 'model' }))
  })

  it('finds every file of the catalog by its own model id', () => {
    for (const { model, file } of catalogEntries()) {
      const resolved = resolveModelName(catalogModelId(file))
      expect(resolved.entry?.model.id).toBe(model.id)
      expect(resolved.modelId).toBe(catalogModelId(file))
    }
  })

  it('answers anything with a result or a ShoalError, and hub names never leave their repository', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `hf:${text}`),
          fc.stringMatching(/^hf:[a./:]{0,12}(\.gguf)?$/),
        ),
        (text) => {
          try {
            const { source } = resolveModelName(text)
            if (source.kind !== 'hub') return
            expect(source.repo).toMatch(/^[\w.-]+\/[\w.-]+$/)
            expect(`${source.repo}/${source.file}`.split('/')).not.toContain('..')
          } catch (error) {
            expect(error).toBeInstanceOf(ShoalError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
