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
