// Original file: proto/shoal/v1/node.proto

import type { TensorGroupBytes as _shoal_v1_TensorGroupBytes, TensorGroupBytes__Output as _shoal_v1_TensorGroupBytes__Output } from '../../shoal/v1/TensorGroupBytes.ts';
import type { ExpertShape as _shoal_v1_ExpertShape, ExpertShape__Output as _shoal_v1_ExpertShape__Output } from '../../shoal/v1/ExpertShape.ts';
import type { Long } from '@grpc/proto-loader';

export interface ModelManifest {
  'architecture'?: (string);
  'name'?: (string);
  'quantization'?: (string);
  'parameterCount'?: (number | string | Long);
  'fileBytes'?: (number | string | Long);
  'tensorGroupBytes'?: (_shoal_v1_TensorGroupBytes | null);
  'contextTokensTrained'?: (number);
  'layerCount'?: (number);
  'attentionLayerCount'?: (number);
  'embeddingLength'?: (number);
  'headCount'?: (number);
  'headCountKv'?: (number);
  'keyLength'?: (number);
  'valueLength'?: (number);
  'slidingWindowTokens'?: (number);
  'vocabularySize'?: (number);
  'expert'?: (_shoal_v1_ExpertShape | null);
  'recurrentStateBytesPerSequence'?: (number | string | Long);
  'chatTemplate'?: (string);
  'isDemo'?: (boolean);
  '_name'?: "name";
  '_quantization'?: "quantization";
  '_contextTokensTrained'?: "contextTokensTrained";
  '_slidingWindowTokens'?: "slidingWindowTokens";
  '_expert'?: "expert";
  '_chatTemplate'?: "chatTemplate";
}

export interface ModelManifest__Output {
  'architecture': (string);
  'name'?: (string);
  'quantization'?: (string);
  'parameterCount': (number);
  'fileBytes': (number);
  'tensorGroupBytes': (_shoal_v1_TensorGroupBytes__Output | null);
  'contextTokensTrained'?: (number);
  'layerCount': (number);
  'attentionLayerCount': (number);
  'embeddingLength': (number);
  'headCount': (number);
  'headCountKv': (number);
  'keyLength': (number);
  'valueLength': (number);
  'slidingWindowTokens'?: (number);
  'vocabularySize': (number);
  'expert'?: (_shoal_v1_ExpertShape__Output | null);
  'recurrentStateBytesPerSequence': (number);
  'chatTemplate'?: (string);
  'isDemo': (boolean);
}
