import { defaultSampling } from '@shoal/core'
import { expect, test } from 'vitest'
import { resolveSampling } from './evaluate-options.ts'

const silent = { temperature: null, topP: null, topK: null, minP: null }

test('what was asked comes first, then what the file recommends, then the defaults of llama.cpp', () => {
  const recommended = { temperature: 0.6, topP: 0.9, topK: 20, minP: 0 }
  expect(resolveSampling({ ...defaultSampling, temperature: 0, seed: 5 }, recommended, 9)).toEqual({
    temperature: 0,
    topP: 0.9,
    topK: 20,
    minP: 0,
    seed: 5,
  })
  expect(resolveSampling(defaultSampling, silent, 9)).toEqual({ temperature: 0.8, topP: 0.95, topK: 40, minP: 0.05, seed: 9 })
})

test('seeds are folded to the 32 bits the sampler has', () => {
  expect(resolveSampling({ ...defaultSampling, seed: 2 ** 32 + 7 }, silent, 0).seed).toBe(7)
  expect(resolveSampling({ ...defaultSampling, seed: -1 }, silent, 0).seed).toBe(2 ** 32 - 1)
})
