// Original file: proto/shoal/v1/node.proto

import type { LocalSource as _shoal_v1_LocalSource, LocalSource__Output as _shoal_v1_LocalSource__Output } from '../../shoal/v1/LocalSource.ts';
import type { HubSource as _shoal_v1_HubSource, HubSource__Output as _shoal_v1_HubSource__Output } from '../../shoal/v1/HubSource.ts';
import type { DemoSource as _shoal_v1_DemoSource, DemoSource__Output as _shoal_v1_DemoSource__Output } from '../../shoal/v1/DemoSource.ts';

export interface LoadModelRequest {
  'modelId'?: (string);
  'local'?: (_shoal_v1_LocalSource | null);
  'hub'?: (_shoal_v1_HubSource | null);
  'demo'?: (_shoal_v1_DemoSource | null);
  'contextTokens'?: (number);
  'slots'?: (number);
  'source'?: "local"|"hub"|"demo";
  '_contextTokens'?: "contextTokens";
  '_slots'?: "slots";
}

export interface LoadModelRequest__Output {
  'modelId': (string);
  'local'?: (_shoal_v1_LocalSource__Output | null);
  'hub'?: (_shoal_v1_HubSource__Output | null);
  'demo'?: (_shoal_v1_DemoSource__Output | null);
  'contextTokens'?: (number);
  'slots'?: (number);
}
