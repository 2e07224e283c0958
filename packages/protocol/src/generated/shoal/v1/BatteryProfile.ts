// Original file: proto/shoal/v1/node.proto


export interface BatteryProfile {
  'charge'?: (number | string);
  'onMains'?: (boolean);
  '_charge'?: "charge";
  '_onMains'?: "onMains";
}

export interface BatteryProfile__Output {
  'charge'?: (number);
  'onMains'?: (boolean);
}
