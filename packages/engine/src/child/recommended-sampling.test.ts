import { expect, test } from 'vitest'
import { readRecommendedSampling } from './recommended-sampling.ts'

test('reads what the file recommends, and nothing else', () => {
  expect(readRecommendedSampling({ name: 'x', sampling: { temp: 0.6, top_k: 20, top_p: 'high', min_p: 0 } })).toEqual({
    temperature: 0.6,
    topK: 20,
    topP: null,
    minP: 0,
  })
  const silent = { temperature: null, topK: null, topP: null, minP: null }
  for (const general of [undefined, null, {}, { sampling: 3 }, { sampling: null }]) expect(readRecommendedSampling(general)).toEqual(silent)
})
