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
