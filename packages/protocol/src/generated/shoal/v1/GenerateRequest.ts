// Original file: proto/shoal/v1/node.proto

import type { ChatMessage as _shoal_v1_ChatMessage, ChatMessage__Output as _shoal_v1_ChatMessage__Output } from '../../shoal/v1/ChatMessage.ts';
import type { Sampling as _shoal_v1_Sampling, Sampling__Output as _shoal_v1_Sampling__Output } from '../../shoal/v1/Sampling.ts';

export interface GenerateRequest {
  'requestId'?: (string);
  'modelId'?: (string);
  'epoch'?: (number);
  'messages'?: (_shoal_v1_ChatMessage)[];
  'sampling'?: (_shoal_v1_Sampling | null);
  'tokensMax'?: (number);
  'thinking'?: (boolean);
  '_tokensMax'?: "tokensMax";
}

export interface GenerateRequest__Output {
  'requestId': (string);
  'modelId': (string);
  'epoch': (number);
  'messages': (_shoal_v1_ChatMessage__Output)[];
  'sampling': (_shoal_v1_Sampling__Output | null);
  'tokensMax'?: (number);
  'thinking': (boolean);
}
