// Original file: proto/shoal/v1/node.proto


export interface NetworkInterface {
  'name'?: (string);
  'address'?: (string);
  'family'?: (string);
  'kind'?: (string);
  'speedMbitPerSecond'?: (number | string);
  '_speedMbitPerSecond'?: "speedMbitPerSecond";
}

export interface NetworkInterface__Output {
  'name': (string);
  'address': (string);
  'family': (string);
  'kind': (string);
  'speedMbitPerSecond'?: (number);
}
