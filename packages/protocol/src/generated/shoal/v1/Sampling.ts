// Original file: proto/shoal/v1/node.proto

import type { LogitBias as _shoal_v1_LogitBias, LogitBias__Output as _shoal_v1_LogitBias__Output } from '../../shoal/v1/LogitBias.ts';
import type { Long } from '@grpc/proto-loader';

export interface Sampling {
  'temperature'?: (number | string);
  'topP'?: (number | string);
  'topK'?: (number);
  'minP'?: (number | string);
  'frequencyPenalty'?: (number | string);
  'presencePenalty'?: (number | string);
  'repeatPenalty'?: (number | string);
  'seed'?: (number | string | Long);
  'logitBias'?: (_shoal_v1_LogitBias | null);
  '_temperature'?: "temperature";
  '_topP'?: "topP";
  '_topK'?: "topK";
  '_minP'?: "minP";
  '_frequencyPenalty'?: "frequencyPenalty";
  '_presencePenalty'?: "presencePenalty";
  '_repeatPenalty'?: "repeatPenalty";
  '_seed'?: "seed";
  '_logitBias'?: "logitBias";
}

export interface Sampling__Output {
  'temperature'?: (number);
  'topP'?: (number);
  'topK'?: (number);
  'minP'?: (number);
  'frequencyPenalty'?: (number);
  'presencePenalty'?: (number);
  'repeatPenalty'?: (number);
  'seed'?: (number);
  'logitBias'?: (_shoal_v1_LogitBias__Output | null);
}
