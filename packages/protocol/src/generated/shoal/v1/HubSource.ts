// Original file: proto/shoal/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface HubSource {
  'repo'?: (string);
  'file'?: (string);
  'revision'?: (string);
  'bytes'?: (number | string | Long);
  'sha256'?: (string);
  '_revision'?: "revision";
  '_bytes'?: "bytes";
  '_sha256'?: "sha256";
}

export interface HubSource__Output {
  'repo': (string);
  'file': (string);
  'revision'?: (string);
  'bytes'?: (number);
  'sha256'?: (string);
}
