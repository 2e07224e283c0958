import { createFakeNodeProfile } from '@shoal/hardware/testing'
import { dimensionsOfManifest, type LoadShape, memoryBudget, sizeModel } from '@shoal/planner'
import type { LoadPlan } from '../loading/load-ports.ts'
import { fakeManifest } from './fake-manifest.ts'

/** Plan of the fake model on the fake machine. */
export function fakeLoadPlan(shape: LoadShape, manifest = fakeManifest()): LoadPlan {
  const dimensions = dimensionsOfManifest(manifest)
  const sizing = sizeModel({ ...shape, dimensions, budget: memoryBudget(createFakeNodeProfile()) })
  return { options: { ...shape, threads: 1, gpuLayers: null }, sizing, dimensions, unifiedMemory: false }
}
