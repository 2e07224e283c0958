import { nodeId } from '@shoal/core'
import { expect, test } from 'vitest'
import { createFakeNode } from '../testing/fake-node.ts'
import { resolveModel } from './resolve-model.ts'

const local = (modelId: string, path: string) => ({ modelId, path, sha256: null, manifest: {} as never })
const { description, state } = createFakeNode({
  id: 'a',
  localModels: [local('tiny', '/models/tiny.gguf'), local('unsloth/Qwen3.5-4B-GGUF:Q4_K_M', '/models/Qwen3.5-4B-Q4_K_M.gguf')],
})
const view = { nodes: [{ nodeId: nodeId('a'), address: 'a:1', liveness: 'connected' as const, description, state }] }
const resolve = (name: string) => {
  const { modelId, source } = resolveModel(name, view)
  return { modelId, kind: source.kind }
}

test.each([
  ['the id of a file a node has', 'tiny', { modelId: 'tiny', kind: 'local' }],
  ['the same in other letters', 'TINY', { modelId: 'tiny', kind: 'local' }],
  ['the path of a file a node has', '/models/tiny.gguf', { modelId: 'tiny', kind: 'local' }],
  ['a path nobody has told of: the nodes find out', '/elsewhere/other.gguf', { modelId: 'other', kind: 'local' }],
  ['a model at the hub', 'hf:someone/some-GGUF:Q8_0', { modelId: 'someone/some-GGUF:Q8_0', kind: 'hub' }],
  [
    'a model at the hub that a node has: others can still fetch it',
    'unsloth/Qwen3.5-4B-GGUF:Q4_K_M',
    { modelId: 'unsloth/Qwen3.5-4B-GGUF:Q4_K_M', kind: 'hub' },
  ],
  ['the demonstration model', 'shoal-demo', { modelId: 'shoal-demo', kind: 'demo' }],
])('%s', (_name, name, expected) => {
  expect(resolve(name)).toEqual(expected)
})

test('a name nobody knows is refused with the names there are', () => {
  expect(() => resolve('nope')).toThrow(expect.objectContaining({ code: 'MODEL_UNKNOWN', remedy: expect.stringContaining('tiny') }))
})
