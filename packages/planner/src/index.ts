export {
  type CatalogEntry,
  type CatalogFile,
  type CatalogModel,
  type CatalogSampling,
  type CatalogScores,
  catalog,
  catalogEntries,
  catalogFiles,
  catalogModelId,
  catalogSource,
  findCatalogEntry,
  findCatalogModel,
  usualCatalogFile,
} from './catalog/catalog.ts'
export { quantizationOfFileName } from './catalog/quantization.ts'
export { catalogEntryOf, entryRank, modelQuality, type RankMode, rankOfModelId } from './catalog/rank.ts'
export { type ResolvedModelName, resolveModelName } from './catalog/resolve-model-name.ts'
export { freedBytesOf, type PlacedModel, type PlacementNode, placementNode } from './placement/placement-nodes.ts'
export { type FleetGroup, type FleetPlan, type FleetQuery, planFleet } from './placement/plan-fleet.ts'
export { planReplicas, type Refusal, type RefusalKind, type ReplicaPlan, type ReplicaQuery } from './placement/plan-replicas.ts'
export { chooseAutoModel } from './routing/choose-auto-model.ts'
export { type RoutingCounts, routingCounts } from './routing/routing-counts.ts'
export {
  type AttemptOutcome,
  nodeChangedEvent,
  type RejectCode,
  type RoutedModel,
  type RoutingEffect,
  type RoutingEvent,
  type RoutingOptions,
  type WantedModel,
} from './routing/routing-events.ts'
export { createRoutingTable, type RoutingTable } from './routing/routing-table.ts'
export { step } from './routing/step.ts'
export { byPreference, type Candidate, catalogCandidates, localCandidate, mergeCandidates } from './sizing/candidates.ts'
export {
  type CandidatePlan,
  type ChoiceKind,
  chooseAmong,
  chooseModel,
  type ModelChoice,
  type ModelQuery,
  type Verdict,
} from './sizing/choose-model.ts'
export {
  applyCorrection,
  type Comparison,
  type Correction,
  compareWithMeasured,
  correctionKey,
  learnMemory,
  learnSpeed,
} from './sizing/correction.ts'
export { explainSizing } from './sizing/explain-sizing.ts'
export { formatBytes } from './sizing/format-bytes.ts'
export { gpuBandwidthBytesPerSecond } from './sizing/gpu-bandwidth.ts'
export { type GpuBudget, type MemoryBudget, memoryBudget } from './sizing/memory-budget.ts'
export { isHeadroom, type LoadShape, type MemoryTerm, type TermName, type TermSource } from './sizing/memory-terms.ts'
export { dimensionsOfEntry, dimensionsOfManifest, type ModelDimensions } from './sizing/model-dimensions.ts'
export type { Device, MemoryEstimate } from './sizing/planned-terms.ts'
export { effectiveBandwidth, predictSpeed, type Speed, type SpeedQuery } from './sizing/predict-speed.ts'
export { shapeDefault, shapesToTry } from './sizing/shapes.ts'
export { type Backend, type Sizing, type SizingQuery, sizeModel } from './sizing/size-model.ts'
