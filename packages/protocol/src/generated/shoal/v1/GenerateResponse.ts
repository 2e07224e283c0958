// Original file: proto/shoal/v1/node.proto

import type { Accepted as _shoal_v1_Accepted, Accepted__Output as _shoal_v1_Accepted__Output } from '../../shoal/v1/Accepted.ts';
import type { Tokens as _shoal_v1_Tokens, Tokens__Output as _shoal_v1_Tokens__Output } from '../../shoal/v1/Tokens.ts';
import type { Heartbeat as _shoal_v1_Heartbeat, Heartbeat__Output as _shoal_v1_Heartbeat__Output } from '../../shoal/v1/Heartbeat.ts';
import type { Finished as _shoal_v1_Finished, Finished__Output as _shoal_v1_Finished__Output } from '../../shoal/v1/Finished.ts';

export interface GenerateResponse {
  'accepted'?: (_shoal_v1_Accepted | null);
  'tokens'?: (_shoal_v1_Tokens | null);
  'heartbeat'?: (_shoal_v1_Heartbeat | null);
  'finished'?: (_shoal_v1_Finished | null);
  '_accepted'?: "accepted";
  '_tokens'?: "tokens";
  '_heartbeat'?: "heartbeat";
  '_finished'?: "finished";
}

export interface GenerateResponse__Output {
  'accepted'?: (_shoal_v1_Accepted__Output | null);
  'tokens'?: (_shoal_v1_Tokens__Output | null);
  'heartbeat'?: (_shoal_v1_Heartbeat__Output | null);
  'finished'?: (_shoal_v1_Finished__Output | null);
}
