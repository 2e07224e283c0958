// Original file: proto/shoal/v1/node.proto

import type { ModelManifest as _shoal_v1_ModelManifest, ModelManifest__Output as _shoal_v1_ModelManifest__Output } from '../../shoal/v1/ModelManifest.ts';

export interface LocalModel {
  'modelId'?: (string);
  'path'?: (string);
  'sha256'?: (string);
  'manifest'?: (_shoal_v1_ModelManifest | null);
  '_sha256'?: "sha256";
}

export interface LocalModel__Output {
  'modelId': (string);
  'path': (string);
  'sha256'?: (string);
  'manifest': (_shoal_v1_ModelManifest__Output | null);
}
